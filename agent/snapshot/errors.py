"""The error of everything that reads a snapshot."""

from __future__ import annotations


class SnapshotError(Exception):
    """A snapshot that cannot be used; nothing was changed.  The text says what is wrong, without any value of a row."""
