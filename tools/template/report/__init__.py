"""Plain values about a run: counters, changes, masked texts."""
