"""Errors of the gossip codecs."""

from __future__ import annotations


class DecodeError(ValueError):
    """Received bytes are not what the protocol allows; the only exception that a decoder raises."""


class FramingError(DecodeError):
    """The frame of a stream (encryption, compression) is wrong; memberlist answers those with an `err` message."""


class DecryptError(DecodeError):
    """Received bytes could not be decrypted: they are not encrypted, or with a key that this agent does not have."""


class Incomplete(DecodeError):
    """The bytes end before the value does; a stream may still bring the rest."""
