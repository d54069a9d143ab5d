"""How a server is added to a cluster: the leader as the host, the newcomer as the guest."""
