"""Forestall: a declarative rules engine for proactive customer success."""

__version__ = "0.1.0"
