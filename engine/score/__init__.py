"""Metrics to signals, health score and tier, and the truth of every condition."""
