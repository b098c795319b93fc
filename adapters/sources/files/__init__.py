"""Sources that read files: CSV, JSON lines and Parquet, on this machine or at a URL."""
