"""Tests of the life of alerts."""
