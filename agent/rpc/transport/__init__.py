"""One connection between two agents: handshake, frames, requests in both directions."""
