"""Advice beyond what must hold: small checks, each with a severity, and each can be excused where it stands."""
