"""From alerts to plays, from plays to deliveries, from deliveries to receipts."""
