"""How the state refuses a write."""

from __future__ import annotations


class Refused(Exception):
    """A write that cannot be; the text is what Consul tells its clients."""
