"""Valid UTF-8: a lone surrogate, which JSON can write as an escape, becomes U+FFFD, as in Go."""

from __future__ import annotations

from typing import Any, TypeVar

T = TypeVar("T")


def replace_surrogates(value: T) -> T:
    """Return a decoded document whose keys and texts have no lone surrogates."""
    made: Any = value
    if isinstance(value, str):
        made = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    elif isinstance(value, list):
        made = [replace_surrogates(item) for item in value]
    elif isinstance(value, dict):
        made = {replace_surrogates(key): replace_surrogates(item) for key, item in value.items()}
    return made  # type: ignore[no-any-return]
