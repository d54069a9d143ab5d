"""Members of the cluster, their network distance and their gossip keys."""
