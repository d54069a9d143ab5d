"""Pages of the cluster itself: members of the gossip pool, servers."""
