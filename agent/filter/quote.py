"""String literals as Go writes them (https://go.dev/ref/spec#String_literals)."""

from __future__ import annotations

import re

SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"'}
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.)|$)", re.DOTALL)


def unquote(literal: str) -> str:
    """Return the text of a literal in double quotes or backquotes; raises ValueError."""
    body = literal[1:-1]
    if literal[0] == "`":
        return body.replace("\r", "")
    if "\n" in body:
        raise ValueError("invalid syntax")
    return _ESCAPE.sub(_character, body) if "\\" in body else body


def _character(match: re.Match[str]) -> str:
    byte, short, long, octal, simple = match.groups()
    if simple is not None or not any(match.groups()):
        if simple not in SIMPLE:
            raise ValueError("invalid syntax")
        return SIMPLE[simple]
    number = int(octal, 8) if octal else int(byte or short or long, 16)
    if (octal and number > 0xFF) or number > 0x10FFFF or 0xD800 <= number < 0xE000:
        raise ValueError("invalid syntax")
    return chr(number)


def quote(text: str) -> str:
    """Return a text in double quotes, with escapes where needed."""
    named = {value: f"\\{key}" for key, value in SIMPLE.items()}
    return '"' + "".join(named.get(c) or (c if c.isprintable() else _escape(c)) for c in text) + '"'


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
