"""Gossip between agents: the protocol of Serf and memberlist."""
