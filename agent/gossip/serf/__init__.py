"""Serf on top of SWIM membership: statuses, user events, queries, keys, coordinates. Pure state machines."""
