"""Sources that read a log of events and give daily metrics."""
