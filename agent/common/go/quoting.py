"""Go's quoted strings (`%q`, `%+q`): https://pkg.go.dev/strconv#Quote.

Strings are Python's; bytes that are not UTF-8 are kept as surrogate escapes (PEP 383).
"""

from __future__ import annotations

_ESCAPES = {"\a": r"\a", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\v": r"\v", "\\": r"\\"}


def go_quote(text: str, mark: str = '"', ascii_only: bool = False) -> str:
    """Put the text between quotes (`mark`) with Go's escapes; unprintable characters are escaped."""
    if text.isascii() and text.isprintable() and mark not in text and "\\" not in text:
        return mark + text + mark
    return mark + "".join(_quoted(c, mark, ascii_only) for c in text) + mark


def _quoted(character: str, mark: str, ascii_only: bool) -> str:
    if character == mark:
        return "\\" + mark
    if character in _ESCAPES:
        return _ESCAPES[character]
    code = ord(character)
    if character.isprintable() and (code < 128 or not ascii_only):
        return character
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
