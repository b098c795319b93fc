"""Sources to history: what arrived and when, and one row per account and day from it."""
