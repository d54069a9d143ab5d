"""New IDs that nobody can guess."""

from __future__ import annotations

import uuid


def new_id() -> str:
    """A random UUID, from the system's own randomness: it may be a secret."""
    return str(uuid.uuid4())
