"""The embedded engine: one SQLite file for a single server."""
