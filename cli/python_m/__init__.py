"""Service discovery and configuration: the agent, its command line and the tools around it."""
