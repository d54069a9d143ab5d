"""JSON as Go's decoder reads it: the first value of a text, and Go's error texts.

https://pkg.go.dev/encoding/json#Decoder.Decode.  What follows the first value is not looked at.

Invalid JSON costs a few passes of msgspec: its errors give the position and the kind of the mistake; only
the word or number at that position is examined here.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

import msgspec

_BLANK = b" \t\r\n"
_LITERALS = {word[0]: word for word in (b"true", b"false", b"null")}
_NUMBER_BYTES = b"0123456789+-.eE"
_DIGITS = re.compile(rb"[0-9]*")
_WHERE = re.compile(r"JSON is malformed: (.*) \(byte (\d+)\)")
#: Bytes beyond ASCII become `?`: like them, it is valid in strings only.
_ASCII = bytes(range(128)) + b"?" * 128
_PAD = b" " * 8  # msgspec looks at no word or escape that is cut off by the end of the text
_SURROGATE = re.compile("[\ud800-\udfff]")

# msgspec's words for what it expected, and Go's; the position is that of the character.
_AFTER = {
    "expected ':'": "after object key",
    "expected ',' or '}'": "after object key:value pair",
    "expected ',' or ']'": "after array element",
    "trailing comma in array": "looking for beginning of value",
    "trailing comma in object": "looking for beginning of object key string",
    "object keys must be strings": "looking for beginning of object key string",
}
# The same, where the position is one after the character.
_INSIDE = {
    "invalid escape character in string": "in string escape code",
    "invalid character in unicode escape": "in \\u hexadecimal character escape",
}

# The parts of a number: what begins one, and Go's words for one without digits.
_NUMBER_PARTS = (
    (b"", "in numeric literal"),
    (b".", "after decimal point in numeric literal"),
    (b"eE", "in exponent of numeric literal"),
)
MAX_DIGITS = 40  # longer integers are read as floats


class Number(float):
    """A number whose text differs from Python's (`1e25`); `str` gives the text, so that errors repeat what was sent."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text


def _float(text: str) -> float:
    number = Number(text)
    return number if repr(float(number)) != text else float(number)


def _integer(text: str) -> float:
    return int(text) if len(text) <= MAX_DIGITS else Number(text)


LARGE = 64 << 10  # bytes; the numbers of a longer text are floats of Python, which is ten times as fast
_decode = msgspec.json.Decoder(float_hook=_float).decode
_decode_large = msgspec.json.Decoder().decode
_check = msgspec.json.Decoder(float_hook=str).decode  # takes numbers of any size


class JSONError(ValueError):
    """Invalid JSON; the error's text is Go's."""


class _Wrong(NamedTuple):
    """Return msgspec's error for a text, and its position."""

    what: str
    at: int


def parse(text: bytes) -> Any:
    """Return the first JSON value of a text as dict, list, str, int, float, bool or None.  Raises JSONError.

    A number beyond the range of a float is an infinite `Number`; no text holds half a surrogate pair.
    """
    try:
        return _decode(text) if len(text) < LARGE else _decode_large(text)
    except RecursionError:
        raise JSONError("exceeded max depth") from None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        pass
    return _mended(text[: _end_of_first_value(text)])


def _end_of_first_value(text: bytes) -> int:
    """Return the end of a value, or a position behind it.  Raises JSONError."""
    # The text for a strict parser, without what Go repairs: lone surrogates, and bytes that are not UTF-8.
    shape = text.translate(_ASCII).replace(b"\\ud", b"\\u0").replace(b"\\uD", b"\\u0") + _PAD
    wrong = _wrong_with(shape)
    if wrong is None:
        return len(text)
    if wrong.what == "trailing characters":
        return wrong.at - 1
    if wrong.what == "invalid number" and (zero := _leading_zero(shape, wrong.at)):
        wrong = _wrong_with(shape[:zero] + b" 0")
        assert wrong is not None
        if wrong.what == "trailing characters":
            return zero
        raise _invalid(text, zero, _AFTER[wrong.what])
    raise _worded(shape, text, wrong)


def _wrong_with(shape: bytes) -> _Wrong | None:
    try:
        _check(shape)
    except RecursionError:
        raise JSONError("exceeded max depth") from None
    except msgspec.ValidationError:
        return None  # an integer of more than 4,300 digits; `_mended` reads it
    except msgspec.DecodeError as error:
        found = _WHERE.fullmatch(str(error))
        return _Wrong(found[1], int(found[2])) if found else _Wrong("truncated", len(shape))
    return None


def _worded(shape: bytes, text: bytes, wrong: _Wrong) -> JSONError:
    what, at = wrong.what, wrong.at
    if what == "truncated":
        return JSONError("unexpected EOF" if text.strip(_BLANK) else "EOF")
    if what in _AFTER:
        return _invalid(text, at, _AFTER[what])
    if what in _INSIDE:
        return _invalid(text, at - 1, _INSIDE[what])
    if what == "invalid number":
        return _in_number(shape, text, at)
    # An invalid character: in a string, in a word, after a minus, or at the start of a value.
    if _wrong_with(shape[:at] + b"x") == ("truncated", at + 1):
        return _invalid(text, at, "in string literal")
    for start in range(max(0, at - 5), at):
        literal = _LITERALS.get(shape[start])
        if literal is not None and _wrong_with(shape[:start] + b"x") == ("invalid character", start):
            for offset, wanted in enumerate(literal):
                if shape[start + offset] != wanted:
                    return _invalid(text, start + offset, f"in literal {literal.decode()} (expecting {chr(wanted)!r})")
    if shape[:at].endswith(b"-"):
        return _invalid(text, at, "in numeric literal")
    return _invalid(text, at, "looking for beginning of value")


def _leading_zero(shape: bytes, at: int) -> int:
    """Return where Go ends a number with digits after a leading zero; 0 for other numbers."""
    position = len(shape[:at].rstrip(_NUMBER_BYTES))
    position += shape.startswith(b"-", position)
    digits = shape[position : position + 2]
    return position + 1 if digits.startswith(b"0") and digits[1:].isdigit() else 0


def _in_number(shape: bytes, text: bytes, at: int) -> JSONError:
    """Return the error in the number around a position."""
    start = len(shape[:at].rstrip(_NUMBER_BYTES))
    position = start + shape.startswith(b"-", start)
    for marks, where in _NUMBER_PARTS:
        if marks:
            mark = shape[position : position + 1]
            if not mark or mark not in marks:
                continue
            position += 1
            if marks == b"eE" and shape[position : position + 1] in (b"+", b"-"):
                position += 1
        end = _DIGITS.match(shape, position).end()  # type: ignore[union-attr]  # it matches nothing, too
        if end == position:
            return _invalid(text, position, where)
        position = end
    return JSONError("unexpected EOF")


def _mended(text: bytes) -> Any:
    """Return one value, with U+FFFD for bytes that are not UTF-8 and for lone surrogates."""
    read = _READ_LONG if _LONG_INTEGER.search(text) else _READ
    try:
        value, _ = read(text.decode("utf-8", "replace").lstrip(" \t\r\n"))
        if b"\\u" in text:
            again = json.dumps(value, ensure_ascii=False)
            if _SURROGATE.search(again):
                value, _ = _READ(again.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    except RecursionError:
        raise JSONError("exceeded max depth") from None
    except json.JSONDecodeError as error:  # only after an integer of more than 4,300 digits
        raise JSONError(f"invalid character at byte {error.pos}: {error.msg}") from None
    return value


def _infinite(name: str) -> float:
    """Return the text that `json.dumps` writes for a number beyond the range of a float."""
    return Number("-1e400" if name.startswith("-") else "1e400")


_LONG_INTEGER = re.compile(rb"[0-9]{%d}" % (MAX_DIGITS + 1))
_READ = json.JSONDecoder(parse_float=_float, parse_constant=_infinite).raw_decode
_READ_LONG = json.JSONDecoder(parse_float=_float, parse_int=_integer, parse_constant=_infinite).raw_decode


def _invalid(text: bytes, at: int, where: str) -> JSONError:
    """Return the error at a byte position; behind the text it is that of an unexpected end."""
    if at >= len(text):
        return JSONError("unexpected EOF")
    return JSONError(f"invalid character {_quoted(chr(text[at]))} {where}")


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
