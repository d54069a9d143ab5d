"""Consul's rules for its pools: the tags of its agents, and which nodes may be members. Pure."""
