"""The parts of an agent that work through the servers: its catalog, tokens, requests to other agents, and DNS."""
