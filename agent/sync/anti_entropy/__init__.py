"""Anti-entropy: keeps the catalog equal to the services and checks of this agent."""
