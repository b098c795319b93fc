"""The engine: detect, score, alert, intervene, measure, learn."""
