"""Booleans as Go's `strconv` package reads them: https://pkg.go.dev/strconv#ParseBool."""

from __future__ import annotations

_BOOLEANS = {
    **dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True),
    **dict.fromkeys(("0", "f", "F", "false", "FALSE", "False"), False),
}


def parse_go_bool(text: str) -> bool:
    """Parse a boolean. Raises ValueError, saying what is allowed."""
    value = _BOOLEANS.get(text)
    if value is None:
        raise ValueError("use true or false")
    return value
