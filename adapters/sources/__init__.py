"""Sources: bring accounts and their metrics."""
