"""The key/value store: entries and their history."""
