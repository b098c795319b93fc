"""The history where it is a table of a database already: read there, never copied."""
