"""Queries of a Serf pool: asked, answered, relayed; the internal ones manage keys and name conflicts."""
