"""A query to rows per account and day: from any database that SQLAlchemy or ADBC reaches, and from DuckDB."""
