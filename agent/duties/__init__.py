"""Background jobs of the leader: session TTLs and tombstones."""
