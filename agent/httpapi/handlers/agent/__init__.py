"""The handlers of /v1/agent."""
