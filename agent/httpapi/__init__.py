"""The HTTP API: server, core (routing, callers, reads), codec, and handlers by noun."""
