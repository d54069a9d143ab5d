"""Suggest the known name that a user may have meant: one rule for flags, keys, functions and fields of all programs."""

from __future__ import annotations

from collections.abc import Iterable

#: How alike two names must be, from 0 to 1.
_MIN_RATIO = 0.6


def nearest_name(word: str, known: Iterable[str]) -> str:
    """Return the known name that is most like an unknown one; empty when none is like it."""
    from difflib import get_close_matches  # 1 ms, which only errors need

    return next(iter(get_close_matches(word, list(known), n=1, cutoff=_MIN_RATIO)), "")


def did_you_mean(
    word: str, known: Iterable[str], prefix: str = "", lead: str = "; did you mean ", *, quoted: bool = False
) -> str:
    """Return `; did you mean NAME?` for the nearest name, with `prefix` before it; empty when none is like it."""
    close = nearest_name(word, known)
    if not close:
        return ""
    return f"{lead}{close!r}?" if quoted else f"{lead}{prefix}{close}?"
