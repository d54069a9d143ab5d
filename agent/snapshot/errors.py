"""The error of everything that reads a snapshot."""

from __future__ import annotations


class SnapshotError(Exception):
    """A snapshot that cannot be used; nothing was changed.  The text has no value of a row."""
