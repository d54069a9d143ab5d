"""JSON as Go's encoding/json reads and writes it: numbers are floats, keys sorted, `<`, `>` and `&` escaped."""

from __future__ import annotations

import base64
import json
import math
import re
from json.encoder import encode_basestring
from typing import Any, NoReturn

from pyconsul.agent.common.structs import struct
from pyconsul.tools.gotemplate.errors import GoError
from pyconsul.tools.gotemplate.runtime.values import (
    NilPointer,
    is_struct,
    key_type,
    printed_fields,
    sorted_keys,
    type_name,
)
from pyconsul.tools.gotemplate.text import floats

_HTML = str.maketrans({"<": r"\u003c", ">": r"\u003e", "&": r"\u0026"})
_SEPARATORS = str.maketrans({"\u2028": r"\u2028", "\u2029": r"\u2029"})
_SURROGATES = re.compile("[\ud800-\udfff]")
_INDENT = "  "


def parse_json(text: str) -> Any:
    """Return the value of a JSON text: float, str, bool, None, list or dict. Raises GoError."""
    try:
        value = json.loads(text, parse_int=_number, parse_float=_number, parse_constant=_constant)
    except json.JSONDecodeError as error:
        raise GoError(f"{error.msg} at line {error.lineno} column {error.colno}") from None
    except RecursionError:
        raise GoError("exceeded max depth") from None
    return _repaired(value) if "\\ud" in text.lower() else value


def _number(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise GoError(f"json: cannot unmarshal number {digits} into Go value of type float64")
    return value


def _constant(word: str) -> NoReturn:
    raise GoError(f"invalid character '{word.lstrip('-')[0]}' looking for beginning of value")


def _repaired(value: Any) -> Any:
    """Halves of surrogate pairs stand for no character."""
    if isinstance(value, str):
        return _SURROGATES.sub("\ufffd", value)
    if isinstance(value, list):
        return [_repaired(item) for item in value]
    if isinstance(value, dict):
        return {_repaired(key): _repaired(item) for key, item in value.items()}
    return value


def to_json(value: Any, pretty: bool = False, escape_html: bool = True) -> str:
    """Return the value as JSON; pretty: two blanks a level. GoError for what JSON cannot hold."""
    try:
        return _Writer(pretty, escape_html).value(value, "")
    except RecursionError:
        raise GoError("json: unsupported value: encountered a cycle") from None


@struct(frozen=True)
class _Writer:
    pretty: bool
    escape_html: bool

    def value(self, value: Any, margin: str) -> str:
        if isinstance(value, str):
            return self.string(value)
        if value is None or isinstance(value, NilPointer) or getattr(value, "is_nil", False):
            return "null"
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int):
            return str(int(value))
        if isinstance(value, float):
            return json_float(value)
        if isinstance(value, list):
            return self.block("[]", [self.value(item, margin + _INDENT) for item in value], margin)
        if isinstance(value, dict):
            return self.mapping(value, margin)
        if isinstance(value, bytes):
            return self.string(base64.b64encode(value).decode())
        if is_struct(value):
            return self.struct(value, margin)
        raise GoError(f"json: unsupported type: {type_name(value)}")

    def string(self, text: str) -> str:
        if not text.isascii():
            text = _SURROGATES.sub("\ufffd", text)
        quoted = encode_basestring(text).translate(_SEPARATORS)
        return quoted.translate(_HTML) if self.escape_html else quoted

    def mapping(self, value: dict[Any, Any], margin: str) -> str:
        if key_type(value) not in ("string", "int", "int64", "uint64"):
            raise GoError(f"json: unsupported type: {type_name(value)}")
        colon = ": " if self.pretty else ":"
        keys = sorted((str(key), key) for key in sorted_keys(value))
        items = [self.string(name) + colon + self.value(value[key], margin + _INDENT) for name, key in keys]
        return self.block("{}", items, margin)

    def struct(self, value: Any, margin: str) -> str:
        text = getattr(value, "__go_json__", None)
        if text is not None:
            return self.value(text(), margin)
        colon = ": " if self.pretty else ":"
        items = [
            self.string(name) + colon + self.value(getattr(value, name), margin + _INDENT)
            for name in printed_fields(value)
        ]
        return self.block("{}", items, margin)

    def block(self, brackets: str, items: list[str], margin: str) -> str:
        if not items:
            return brackets
        if not self.pretty:
            return brackets[0] + ",".join(items) + brackets[1]
        inner = f",\n{margin}{_INDENT}".join(items)
        return f"{brackets[0]}\n{margin}{_INDENT}{inner}\n{margin}{brackets[1]}"


def json_float(value: float) -> str:
    """Return a number as ECMAScript writes it: an exponent below 1e-6 and from 1e21 on, without zeros in front."""
    if not math.isfinite(value):
        raise GoError(f"json: unsupported value: {floats.non_finite(value)}")
    sign, digits, exponent = floats.decompose(value)
    if digits != "0" and (exponent < -6 or exponent >= 21):
        return sign + re.sub(r"e-0(\d)$", r"e-\1", floats.scientific(digits, exponent))
    return sign + floats.plain(digits, exponent)
