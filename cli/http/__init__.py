"""The connection to an agent and the requests that commands send on it."""
