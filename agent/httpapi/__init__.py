"""The HTTP API: one file of handlers per noun, over a thin ASGI application of our own."""
