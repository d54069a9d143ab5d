"""Why a write is not made."""

from __future__ import annotations


class Refused(Exception):
    """A write that cannot be; the text is what Consul tells its clients."""


class Unavailable(Exception):
    """No write can be made at the moment, whatever it says; the text says why, for an operator."""
