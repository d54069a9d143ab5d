"""The founding of a cluster by the votes of servers that have no state yet."""
