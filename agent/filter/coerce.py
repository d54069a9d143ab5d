"""Literals as values of the selected field's type (https://pkg.go.dev/strconv)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from pyconsul.agent.common.go.booleans import parse_go_bool
from pyconsul.agent.filter.quote import quote

_WHOLE = re.compile(r"[+-]?(?:0[xX](?:_?[0-9a-fA-F])+|0[bB](?:_?[01])+|0[oO]?(?:_?[0-7])+|[1-9](?:_?[0-9])*|0)")
_OCTAL = re.compile(r"\A([+-]?)0(?=[0-7_])")


def _whole(text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"strconv.ParseInt: parsing {quote(text)}: invalid syntax")
    number = int(_OCTAL.sub(r"\g<1>0o", text), 0)
    if not -(2**63) <= number < 2**63:
        raise ValueError(f"strconv.ParseInt: parsing {quote(text)}: value out of range")
    return number


def _decimal(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"strconv.ParseFloat: parsing {quote(text)}: invalid syntax") from None


def _truth(text: str) -> bool:
    try:
        return parse_go_bool(text)
    except ValueError:
        raise ValueError(f"strconv.ParseBool: parsing {quote(text)}: invalid syntax") from None


COERCIONS: dict[type, Callable[[str], Any]] = {str: str, int: _whole, float: _decimal, bool: _truth}


def coerce(text: str, kind: type) -> Any:
    """Read a literal as a `str`, `int`, `float` or `bool`; raises ValueError with Go's text."""
    return COERCIONS[kind](text)
