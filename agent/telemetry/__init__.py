"""Numbers about the agent itself."""
