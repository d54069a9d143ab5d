"""Requests between agents: one connection for each pair, for both directions, over `ports.server`."""
