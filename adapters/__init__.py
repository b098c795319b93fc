"""Adapters: where facts come from (sources) and where messages go (channels)."""
