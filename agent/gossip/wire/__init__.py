"""Codecs of the gossip protocol: bytes to messages and back, bounded in memory and time."""
