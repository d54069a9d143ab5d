"""The slow reference for `httpapi.gojson`: reads JSON byte by byte, as Go's scanner does."""

from __future__ import annotations

import json
import re
from typing import Any

_BLANK = b" \t\r\n"
_DIGITS = b"0123456789"
_HEX = b"0123456789abcdefABCDEF"
_LITERALS = {ord("t"): (b"true", True), ord("f"): (b"false", False), ord("n"): (b"null", None)}
_STRING = re.compile(rb'[^"\\\x00-\x1f]*')
_ESCAPES = b'bfnrt\\/"'


class JSONError(ValueError):
    """A text that is no JSON; the error's text is Go's."""


def parse(text: bytes) -> Any:
    """Return the first JSON value of a text.  Raises JSONError."""
    end = _Scanner(text).first_value()
    return _mended(json.loads(text[:end].decode("utf-8", "replace")))


def _mended(value: Any) -> Any:
    """Half a surrogate pair becomes U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_mended(item) for item in value]
    if isinstance(value, dict):
        return {_mended(key): _mended(item) for key, item in value.items()}
    return value


class _Scanner:
    """Finds where the first value ends, or what is wrong before that."""

    def __init__(self, text: bytes) -> None:
        self.text, self.at = text, 0

    def first_value(self) -> int:
        if self._peek() is None:
            raise JSONError("EOF")
        self._value()
        return self.at

    def _peek(self) -> int | None:
        """Skip blanks and return the next byte, or None at the end."""
        text = self.text
        while self.at < len(text) and text[self.at] in _BLANK:
            self.at += 1
        return text[self.at] if self.at < len(text) else None

    def _byte(self) -> int:
        if self.at >= len(self.text):
            raise JSONError("unexpected EOF")
        return self.text[self.at]

    def _solid(self) -> int:
        self._peek()
        return self._byte()

    def _value(self) -> None:
        first = self._solid()
        if first == ord("{"):
            self._object()
        elif first == ord("["):
            self._array()
        elif first == ord('"'):
            self._string()
        elif first == ord("-") or first in _DIGITS:
            self._number()
        elif first in _LITERALS:
            self._literal(_LITERALS[first][0])
        else:
            raise _invalid(first, "looking for beginning of value")

    def _object(self) -> None:
        self.at += 1
        if self._solid() == ord("}"):
            self.at += 1
            return
        while True:
            if self._solid() != ord('"'):
                raise _invalid(self._byte(), "looking for beginning of object key string")
            self._string()
            self._expect(b":", "after object key")
            self._value()
            if self._expect(b",}", "after object key:value pair") == ord("}"):
                return

    def _array(self) -> None:
        self.at += 1
        if self._solid() == ord("]"):
            self.at += 1
            return
        while True:
            self._value()
            if self._expect(b",]", "after array element") == ord("]"):
                return

    def _expect(self, wanted: bytes, where: str) -> int:
        found = self._solid()
        if found not in wanted:
            raise _invalid(found, where)
        self.at += 1
        return found

    def _string(self) -> None:
        self.at += 1
        while True:
            match = _STRING.match(self.text, self.at)
            assert match is not None
            self.at = match.end()
            found = self._byte()
            self.at += 1
            if found == ord('"'):
                return
            if found != ord("\\"):
                raise _invalid(found, "in string literal")
            self._escape()

    def _escape(self) -> None:
        found = self._byte()
        self.at += 1
        if found == ord("u"):
            for _ in range(4):
                if self._byte() not in _HEX:
                    raise _invalid(self._byte(), "in \\u hexadecimal character escape")
                self.at += 1
        elif found not in _ESCAPES:
            raise _invalid(found, "in string escape code")

    def _number(self) -> None:
        if self._byte() == ord("-"):
            self.at += 1
        if self._byte() == ord("0"):
            self.at += 1
        else:
            self._digits("in numeric literal")
        if self._next_is(b"."):
            self._digits("after decimal point in numeric literal")
        if self._next_is(b"eE"):
            self._next_is(b"+-")
            self._digits("in exponent of numeric literal")

    def _next_is(self, any_of: bytes) -> bool:
        if self.at < len(self.text) and self.text[self.at] in any_of:
            self.at += 1
            return True
        return False

    def _digits(self, where: str) -> None:
        if self._byte() not in _DIGITS:
            raise _invalid(self._byte(), where)
        while self.at < len(self.text) and self.text[self.at] in _DIGITS:
            self.at += 1

    def _literal(self, word: bytes) -> None:
        for wanted in word:
            found = self._byte()
            if found != wanted:
                raise _invalid(found, f"in literal {word.decode()} (expecting {chr(wanted)!r})")
            self.at += 1


def _invalid(byte: int, where: str) -> JSONError:
    return JSONError(f"invalid character {_quoted(chr(byte))} {where}")


def _quoted(character: str) -> str:
    if character == "'":
        return r"'\''"
    if character == '"':
        return "'\"'"
    named = {"\a": r"\a", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\v": r"\v", "\\": r"\\"}
    if character in named:
        return f"'{named[character]}'"
    if character.isprintable():
        return f"'{character}'"
    return f"'\\x{ord(character):02x}'" if ord(character) < 128 else f"'\\u{ord(character):04x}'"
