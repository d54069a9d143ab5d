"""Go's quoted strings: `%q` and `%+q`, and reading string and character literals of a template.

Strings are Python's; bytes that are no UTF-8 are kept as surrogate escapes (PEP 383).
"""

from __future__ import annotations

import re

from pyconsul.agent.common.go.quoting import go_quote as quote
from pyconsul.tools.gotemplate.errors import GoError

__all__ = ["can_backquote", "quote", "unquote", "unquote_character"]

_UNESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\"}
_ESCAPE = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)", re.DOTALL)
_SYNTAX = "invalid syntax"


def can_backquote(text: str) -> bool:
    """Return whether the text can stand between backquotes unchanged, on one line."""
    return all(c == "\t" or (c >= " " and c not in "\x7f`\ufeff") for c in text) and not any(
        0xDC80 <= ord(c) <= 0xDCFF for c in text
    )


def unquote(literal: str) -> str:
    """Return the text of a string literal with its quotes; GoError for a bad escape."""
    if literal[0] == "`":
        return literal[1:-1].replace("\r", "")
    return _unescape(literal[1:-1], '"')


def unquote_character(literal: str) -> int:
    """Return the code point of a character literal like `'a'` or `'\\n'`; GoError when it is not one character."""
    body = literal[1:-1]
    if not body:
        raise GoError(_SYNTAX)
    text = _unescape(body, "'")
    if len(text) != 1:
        raise GoError(f"malformed character constant: {literal}")
    code = ord(text)
    return code - 0xDC00 if 0xDC80 <= code <= 0xDCFF else code


def _unescape(body: str, mark: str) -> str:
    if "\\" not in body:
        return body
    raw = False

    def replace(match: re.Match[str]) -> str:
        nonlocal raw
        escape = match.group()[1:]
        if escape in _UNESCAPES:
            return _UNESCAPES[escape]
        if escape == mark:
            return mark
        if len(escape) == 1:
            raise GoError(_SYNTAX)
        code = int(escape[1:], 16) if escape[0] in "xuU" else int(escape, 8)
        if escape[0] in "uU":
            if code > 0x10FFFF or 0xD800 <= code < 0xE000:
                raise GoError(_SYNTAX)
            return chr(code)
        if code > 255:
            raise GoError(_SYNTAX)
        raw = raw or code > 127
        return chr(code) if code < 128 else chr(0xDC00 + code)

    text = _ESCAPE.sub(replace, body)
    # Bytes given one by one may together be UTF-8.
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape") if raw else text
