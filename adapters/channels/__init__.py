"""Channels: take messages to people and systems."""
