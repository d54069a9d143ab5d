"""What Consul adds to Serf: the tags of its agents, and which nodes may be in a pool. Pure."""
