"""The IO of gossip: sockets, timers and files around the pure pool."""
