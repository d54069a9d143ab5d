"""`watch` and `kv watch`: wait for changes, run a handler, remember the index."""
