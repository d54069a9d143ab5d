"""Decide whether lines may be drawn with characters beyond ASCII."""

from __future__ import annotations

from collections.abc import Mapping


def draws_utf8(environ: Mapping[str, str]) -> bool:
    """Return whether the locale has the characters that lines are drawn with.

    Without a locale Python itself sets LC_CTYPE to C.UTF-8 (PEP 538), which says nothing about the terminal.
    """
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        value = environ.get(name, "")
        if value and not (name == "LC_CTYPE" and value == "C.UTF-8" and environ.get("LANG", "C") in ("", "C", "POSIX")):
            return "utf8" in value.lower().replace("-", "")
    return False
