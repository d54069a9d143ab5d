"""What Serf adds to SWIM membership: statuses, user events, queries, keys, coordinates. Pure state machines."""
