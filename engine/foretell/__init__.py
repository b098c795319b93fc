"""What alerts foretold: each held against the customers who left."""
