"""What the user may have meant."""

from __future__ import annotations

from collections.abc import Iterable

from pyconsul.agent.common.suggest import nearest_name


def nearest(word: str, known: Iterable[str], prefix: str = "") -> str:
    """A sentence that names the known word nearest to an unknown one; empty when none is near."""
    close = nearest_name(word, known)
    return f". Did you mean {prefix}{close}?" if close else ""
