"""Transactions over keys, nodes, services and checks."""
