"""Floating-point numbers as Go's strconv and fmt write them."""

from __future__ import annotations

import math


def shortest(value: float, largest: int = 6) -> str:
    """Format with the fewest digits that read back the same (`%v`, `%g`); an exponent below 1e-4 and from 10**largest on.

    >>> shortest(1e6), shortest(100.0), shortest(2.5e-7)
    ('1e+06', '100', '2.5e-07')
    """
    if not math.isfinite(value):
        return non_finite(value)
    sign, digits, exponent = decompose(value)
    return sign + (scientific(digits, exponent) if exponent < -4 or exponent >= largest else plain(digits, exponent))


def non_finite(value: float) -> str:
    """Format `NaN`, `+Inf` or `-Inf`."""
    if math.isnan(value):
        return "NaN"
    return "+Inf" if value > 0 else "-Inf"


def decompose(value: float) -> tuple[str, str, int]:
    """Sign ("" or "-"), shortest digits without zeros at the end, and the exponent of the first digit."""
    mantissa, _, exponent = f"{value!r}".partition("e")
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    digits = (whole + fraction).lstrip("0")
    power = int(exponent or 0) + len(whole) - 1
    if whole.strip("0") == "":
        power -= len(fraction) - len(fraction.lstrip("0")) + 1
    digits = digits.rstrip("0")
    return (sign, digits, power) if digits else (sign, "0", 0)


def scientific(digits: str, exponent: int) -> str:
    """Format as `d.ddde±dd`."""
    point = "." if len(digits) > 1 else ""
    return f"{digits[0]}{point}{digits[1:]}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def plain(digits: str, exponent: int) -> str:
    """Return the digits without an exponent."""
    if exponent < 0:
        return "0." + "0" * (-exponent - 1) + digits
    if len(digits) <= exponent + 1:
        return digits + "0" * (exponent + 1 - len(digits))
    return f"{digits[: exponent + 1]}.{digits[exponent + 1 :]}"


def hexadecimal(value: float, precision: int | None, sharp: bool) -> str:
    """Format as `0x1.8p+00` (`%x`); as many digits as needed, or `precision` of them after the point."""
    sign, _, rest = value.hex().partition("0x")
    mantissa, _, exponent = rest.partition("p")
    lead, _, digits = mantissa.partition(".")
    power = int(exponent)
    digits = digits.rstrip("0")
    if lead == "0" and digits:  # below the normal range: Go shows a 1 in front all the same
        shift = len(digits) * 4 - int(digits, 16).bit_length() + 1
        scaled = int(digits, 16) << shift
        lead, power = "1", power - shift
        digits = f"{scaled & (16 ** len(digits) - 1):0{len(digits)}x}".rstrip("0")
    if precision is not None:
        lead, digits, power = _round_hex(lead, digits, power, precision)
    point = "." if digits or sharp else ""
    return f"{sign}0x{lead}{point}{digits}p{'-' if power < 0 else '+'}{abs(power):02d}"


def _round_hex(lead: str, digits: str, power: int, precision: int) -> tuple[str, str, int]:
    if len(digits) <= precision:
        return lead, digits.ljust(precision, "0"), power
    scale = 16 ** (len(digits) - precision)
    number, rest = divmod(int(lead + digits, 16), scale)
    number += rest * 2 > scale or (rest * 2 == scale and number % 2)
    text = f"{number:x}".zfill(precision + 1)
    if int(text[0], 16) > 1:
        return "1", "0" * precision, power + 1
    return text[0], text[1:], power
