"""The catalog: nodes, service instances, checks and coordinates."""
