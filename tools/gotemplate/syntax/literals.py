"""Number literals of Go: integers with a base, floats, characters, complex numbers, and what each can stand for."""

from __future__ import annotations

import re

from pyconsul.agent.common.structs import struct
from pyconsul.tools.gotemplate.errors import GoError
from pyconsul.tools.gotemplate.syntax.quote import quote, unquote_character

MAX_INT, MAX_UINT = 2**63 - 1, 2**64 - 1
_UNDERSCORES = re.compile(r"^[+-]?(?:0[xXoObB]_?)?[0-9a-fA-F]+(?:_[0-9a-fA-F]+)*$")
_SEPARATOR = re.compile(r"(?<=[0-9a-fA-FxX])_(?=[0-9a-fA-F])")
_DECIMAL_FLOAT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_HEX_FLOAT = re.compile(r"[+-]?0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)[pP][+-]?[0-9]+")


@struct(frozen=True)
class Number:
    """The values that a literal can stand for; None where it cannot.

    `ideal` is its value where nothing else is asked for: int, float or complex.
    """

    integer: int | None
    floating: float | None
    ideal: int | float | complex | None

    @property
    def signed(self) -> int | None:
        """The value as int64."""
        return self.integer if self.integer is not None and -MAX_INT - 1 <= self.integer <= MAX_INT else None

    @property
    def unsigned(self) -> int | None:
        """The value as uint64."""
        return self.integer if self.integer is not None and 0 <= self.integer <= MAX_UINT else None


def parse_number(text: str) -> Number:
    """Read a character constant, a number or a complex number; GoError for other texts and for numbers out of range."""
    if text.startswith("'"):
        code = unquote_character(text)
        return Number(code, float(code), code)
    if text.endswith("i"):
        return _complex(text)
    integer = parse_integer(text)
    if integer is not None and -MAX_INT - 1 <= integer <= MAX_UINT:
        # Beyond int64 there is no value of type int; only a parameter of type uint64 takes it.
        return Number(integer, float(integer), integer if integer <= MAX_INT else None)
    floating = parse_float(text)
    if floating is None:
        # `08` has a value as a float and is then called too large.
        overflow = integer is not None or re.fullmatch(r"[+-]?[0-9]+", text)
        raise GoError(f"{'integer overflow' if overflow else 'illegal number syntax'}: {quote(text)}")
    whole = int(floating) if abs(floating) < 2**63 and floating == int(floating) else None
    return Number(whole, floating, floating)


def parse_integer(text: str) -> int | None:
    """Return an integer as Go's base 0 reads it: prefixes 0x, 0o, 0b, 0, underscores between digits. None if it is none."""
    if not _UNDERSCORES.match(text):
        return None
    sign, digits = (-1, text[1:]) if text[0] == "-" else (1, text.removeprefix("+"))
    try:
        if len(digits) > 1 and digits[0] == "0" and digits[1] in "01234567_":
            return sign * int(digits, 8)
        return sign * int(digits, 0)
    except ValueError:
        return None


def parse_float(text: str) -> float | None:
    """Return a decimal or hexadecimal float with a point or an exponent, as written in Go source. None if it is none."""
    if not any(c in text for c in ".eEpP"):
        return None
    digits = _SEPARATOR.sub("", text)
    if _HEX_FLOAT.fullmatch(digits):
        try:
            return float.fromhex(digits)
        except OverflowError:
            return None
    if not _DECIMAL_FLOAT.fullmatch(digits):
        return None
    value = float(digits)
    return None if value in (float("inf"), float("-inf")) else value


def _complex(text: str) -> Number:
    try:
        value = complex(text.replace("i", "j"))
    except ValueError:
        raise GoError(f"illegal number syntax: {quote(text)}") from None
    real = value.real if value.imag == 0 else None
    whole = int(real) if real is not None and real == int(real) else None
    return Number(whole, real, value)
