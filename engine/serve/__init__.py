"""`forestall serve`: passes by the clock, and rules that are taken over while it runs."""
