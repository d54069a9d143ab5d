"""Adds a server to a cluster: the leader is the host, the newcomer the guest."""
