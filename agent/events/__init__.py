"""User events: their rules, and the log of those that concern this agent."""
