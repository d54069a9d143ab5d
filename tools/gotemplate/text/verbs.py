"""How Go's fmt writes one value: `display` for `%v`, `format_value` for any verb with its flags."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyconsul.agent.common.structs import replace, struct
from pyconsul.tools.gotemplate.runtime.values import (
    NilPointer,
    element_type,
    is_struct,
    printed_fields,
    sorted_keys,
    to_bytes,
    type_name,
)
from pyconsul.tools.gotemplate.syntax.quote import can_backquote, quote
from pyconsul.tools.gotemplate.text import floats


@struct(frozen=False)
class Flags:
    """The flags of a directive; width and precision None when not given."""

    sharp: bool = False
    go_syntax: bool = False  # `#` of `%#v`
    names: bool = False  # `+` of `%+v`
    zero: bool = False
    plus: bool = False
    minus: bool = False
    space: bool = False
    width: int | None = None
    precision: int | None = None


_PLAIN = Flags()


def display(value: Any) -> str:
    """Format a value as a template's output does (`%v`; nil as `<nil>`)."""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return floats.shortest(value)
    if isinstance(value, int) and not hasattr(value, "__go_string__"):
        return ("true" if value else "false") if isinstance(value, bool) else int.__repr__(value)
    return format_value(value, "v", _PLAIN)


def display_pointed(value: Any) -> str:
    """Format a value as an action does: as `%v`, but of a pointer its target."""
    text = display(value)
    return text.removeprefix("&") if is_struct(value) and not hasattr(value, "__go_string__") else text


def format_value(value: Any, verb: str, flags: Flags, depth: int = 0) -> str:
    """Return a value by verb and flags; `%!verb(type=value)` when the verb does not fit."""
    if value is None:
        return _pad("<nil>", flags) if verb in "vT" else bad_verb(value, verb, flags)
    if verb == "T":
        return _pad(_cut(type_name(value), flags), replace(flags, zero=flags.zero))
    kind = type(value)
    writer = _WRITERS.get(kind)
    if writer is None:
        writer = _writer(value)
    return writer(value, verb, flags, depth)


def bad_verb(value: Any, verb: str, flags: Flags) -> str:
    """Format a value whose verb does not fit, as Go does: by `%v`, with the requested width."""
    if value is None:
        return f"%!{verb}(<nil>)"
    return f"%!{verb}({type_name(value)}={format_value(value, 'v', replace(flags, go_syntax=False, names=False))})"


def _writer(value: Any) -> Callable[[Any, str, Flags, int], str]:
    if hasattr(value, "__go_string__"):
        return _stringer
    return _writer_by_kind(value)


def _writer_by_kind(value: Any) -> Callable[[Any, str, Flags, int], str]:
    for kind, writer in _WRITERS.items():
        if isinstance(value, kind):
            return writer
    return _struct if is_struct(value) else _opaque


def _stringer(value: Any, verb: str, flags: Flags, depth: int) -> str:
    if verb in "vsxXq" and not flags.go_syntax:
        return _string(value.__go_string__(), verb, flags, depth)
    return _writer_by_kind(value)(value, verb, flags, depth)


def _bool(value: bool, verb: str, flags: Flags, depth: int) -> str:
    return _pad("true" if value else "false", flags) if verb in "tv" else bad_verb(value, verb, flags)


_BASES = {"d": "d", "v": "d", "b": "b", "o": "o", "O": "o", "x": "x", "X": "X"}
_PREFIXES = {"b": "0b", "o": "0", "x": "0x", "X": "0X"}


def _integer(value: int, verb: str, flags: Flags, depth: int) -> str:
    if verb == "c":
        return _pad(_character(value), flags)
    if verb == "q":
        return _pad(quote(_character(value), "'", flags.plus), flags)
    if verb == "U":
        return _unicode(value, flags)
    if verb not in _BASES:
        return bad_verb(value, verb, flags)
    if flags.go_syntax and type_name(value).startswith("uint"):
        return _integer_digits(value, "x", flags, "0x")
    return _integer_digits(value, _BASES[verb], flags, {True: "0o0", False: "0o"}[flags.sharp] if verb == "O" else "")


def _integer_digits(value: int, base: str, flags: Flags, prefix: str) -> str:
    digits = format(abs(int(value)), base)
    sign = "-" if value < 0 else "+" if flags.plus else " " if flags.space else ""
    if flags.precision is not None:
        if flags.precision == 0 and value == 0:
            return " " * (flags.width or 0)
        digits = digits.zfill(flags.precision)
    elif flags.zero and not flags.minus and flags.width is not None:
        digits = digits.zfill(flags.width - len(sign))
    if flags.sharp and not prefix:
        prefix = _PREFIXES.get(base, "")
        prefix = "" if base == "o" and digits.startswith("0") else prefix
    return _pad(sign + prefix + digits, replace(flags, zero=False))


def _character(code: int) -> str:
    return chr(code) if 0 <= code <= 0x10FFFF and not 0xD800 <= code < 0xE000 else "\ufffd"


def _unicode(code: int, flags: Flags) -> str:
    text = f"U+{code % 2**64:0{max(4, flags.precision or 0)}X}"
    if flags.sharp and 0 <= code <= 0x10FFFF and chr(code).isprintable():
        text += f" '{chr(code)}'"
    return _pad(text, replace(flags, zero=False))


def _float(value: float, verb: str, flags: Flags, depth: int) -> str:
    if verb not in "vgGeEfFxX":
        return bad_verb(value, verb, flags)
    precision = flags.precision
    if value != value or value in (float("inf"), float("-inf")):
        text, flags = floats.non_finite(value), replace(flags, zero=False)
    elif verb in "xX":
        text = floats.hexadecimal(value, precision, flags.sharp)
        text = text.upper() if verb == "X" else text
    elif precision is None and verb in "vgG":
        text = _sharp_general(value) if flags.sharp else floats.shortest(value)
        text = text.upper() if verb == "G" else text
    else:
        code = {"v": "g", "F": "f"}.get(verb, verb)
        text = format(value, f"{'#' if flags.sharp else ''}.{6 if precision is None else precision}{code}")
    return _signed(text, flags, value)


def _sharp_general(value: float) -> str:
    """Format as `%#g` without a precision: a decimal point, and zeros up to six digits."""
    sign, digits, exponent = floats.decompose(value)
    digits = digits.ljust(6, "0")
    if exponent < -4 or exponent >= 6:
        return sign + floats.scientific(digits, exponent)
    text = floats.plain(digits, exponent)
    return sign + (text if "." in text else text + ".")


def _signed(text: str, flags: Flags, value: float) -> str:
    sign = text[0] if text[0] in "+-" else ""
    text = text.removeprefix(sign)
    if not sign or (sign == "+" and not flags.plus):
        sign = "+" if flags.plus or sign == "+" else " " if flags.space else ""
    if flags.zero and not flags.minus and flags.width is not None:
        text = text.zfill(flags.width - len(sign))
        return sign + text
    return _pad(sign + text, flags)


def _complex(value: complex, verb: str, flags: Flags, depth: int) -> str:
    if verb not in "vgGeEfFxX":
        return bad_verb(value, verb, flags)
    imaginary = _float(value.imag, verb, replace(flags, plus=True), depth)
    return f"({_float(value.real, verb, flags, depth)}{imaginary}i)"


def _string(value: str, verb: str, flags: Flags, depth: int) -> str:
    if flags.go_syntax or verb == "q":
        text = _cut(value, flags)
        if verb == "q" and flags.sharp and can_backquote(text):
            return _pad(f"`{text}`", flags)
        return _pad(quote(text, ascii_only=verb == "q" and flags.plus), flags)
    if verb in "sv":
        return _pad(_cut(value, flags), flags)
    if verb in "xX":
        return _hexadecimal(to_bytes(value), verb, flags)
    return bad_verb(value, verb, flags)


def _hexadecimal(data: bytes, verb: str, flags: Flags) -> str:
    if flags.precision is not None:
        data = data[: flags.precision]
    pairs = [f"{byte:02x}" for byte in data]
    prefix = "0x" if flags.sharp and pairs else ""
    text = f" {prefix}".join(pairs) if flags.space else "".join(pairs)
    text = prefix + text
    return _pad(text.upper() if verb == "X" else text, flags)


def _list(value: list[Any], verb: str, flags: Flags, depth: int) -> str:
    items = [_element(item, verb, flags, depth, element_type(value)) for item in value]
    if flags.go_syntax:
        return f"{type_name(value)}{{{', '.join(items)}}}"
    return f"[{' '.join(items)}]"


def _map(value: dict[Any, Any], verb: str, flags: Flags, depth: int) -> str:
    of = element_type(value)
    items = [
        f"{_element(key, verb, flags, depth, '')}:{_element(value[key], verb, flags, depth, of)}"
        for key in sorted_keys(value)
    ]
    if flags.go_syntax:
        return f"{type_name(value)}{{{', '.join(items)}}}"
    return f"map[{' '.join(items)}]"


def _struct(value: Any, verb: str, flags: Flags, depth: int) -> str:
    is_pointer = getattr(value, "go_pointer", True)
    if is_pointer and depth > 0:
        # Addresses differ from run to run in Go, too; this one only has the right shape.
        return f"0x{id(value):x}" if not flags.go_syntax else f"({type_name(value)})(0x{id(value):x})"
    names = printed_fields(value)
    fields = [_element(getattr(value, name), verb, flags, depth, "") for name in names]
    if flags.names or flags.go_syntax:
        fields = [f"{name}:{text}" for name, text in zip(names, fields, strict=True)]
    start = "&" if is_pointer else ""
    if flags.go_syntax:
        return f"{start}{type(value).go_type}{{{', '.join(fields)}}}"
    return f"{start}{{{' '.join(fields)}}}"


def _element(item: Any, verb: str, flags: Flags, depth: int, of: str) -> str:
    if item is None:
        return f"{of or 'interface {}'}(nil)" if flags.go_syntax else "<nil>"
    return format_value(item, verb, flags, depth + 1)


def _nil_pointer(value: NilPointer, verb: str, flags: Flags, depth: int) -> str:
    if verb == "v":
        return f"({value.go_type})(nil)" if flags.go_syntax else _pad("<nil>", flags)
    return f"%!{verb}({value.go_type}=<nil>)"


def _opaque(value: Any, verb: str, flags: Flags, depth: int) -> str:
    """Channels, functions and what else has no text of its own: an address."""
    return f"0x{id(value):x}" if verb in "vp" else bad_verb(value, verb, flags)


def _cut(text: str, flags: Flags) -> str:
    return text if flags.precision is None else text[: flags.precision]


def _pad(text: str, flags: Flags) -> str:
    missing = (flags.width or 0) - len(text)
    if missing <= 0:
        return text
    if flags.minus:
        return text + " " * missing
    return ("0" if flags.zero else " ") * missing + text


# The order matters: bool is an int.
_WRITERS: dict[type, Callable[[Any, str, Flags, int], str]] = {
    str: _string,
    bool: _bool,
    int: _integer,
    float: _float,
    complex: _complex,
    list: _list,
    dict: _map,
    NilPointer: _nil_pointer,
}
