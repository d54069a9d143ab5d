"""What the user may have meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(word: str, known: Iterable[str], prefix: str = "") -> str:
    """A sentence that names the known word nearest to an unknown one; empty when none is near."""
    close = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f". Did you mean {prefix}{close[0]}?" if close else ""
