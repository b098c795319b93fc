"""HTTP APIs as a source of facts: described in forestall.yaml, or ready for Zendesk and Stripe."""
