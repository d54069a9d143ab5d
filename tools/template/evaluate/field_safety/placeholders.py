"""Stand-ins for characters with a meaning in a file's format: one private character each, which can be converted back. Pure."""

from __future__ import annotations

import re

_BASE = 0xF0000  # a plane of characters for private use, which no format treats specially
_STAND_INS = re.compile("[\U000f0000-\U000fffff]")


def hide(text: str, dangerous: re.Pattern[str]) -> str:
    """Return the text with a stand-in for each dangerous character."""
    return dangerous.sub(lambda match: chr(_BASE + ord(match[0])) if ord(match[0]) < 0x10000 else match[0], text)


def has_hidden(text: str) -> bool:
    """Return whether there is a stand-in."""
    return _STAND_INS.search(text) is not None


def unhide(text: str) -> str:
    """Return the text as it was."""
    return _STAND_INS.sub(lambda match: chr(ord(match[0]) - _BASE), text)
