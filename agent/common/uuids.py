"""UUIDs as text: 32 hexadecimal digits in groups of 8, 4, 4, 4 and 12."""

from __future__ import annotations

import re

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def is_uuid(text: str) -> bool:
    """Return whether a text is a UUID, in upper or lower case."""
    return _UUID.fullmatch(text) is not None
