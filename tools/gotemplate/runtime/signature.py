"""Functions that templates call: what their parameters are, and Go's checks of arguments against them.

    split = function(_split, "string", "string")
    printf = function(_printf, "string", "...interface {}")

Parameters are names of Go types. A plain callable may be called too: then only the number of arguments is checked.
A function reports what is wrong by raising GoError (or any other Exception, whose text is shown).
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

from pyconsul.agent.common.structs import struct
from pyconsul.tools.gotemplate.errors import GoError
from pyconsul.tools.gotemplate.runtime.values import Channel, Slice, Uint64, int64, type_name, zero_value

ANY = "interface {}"
_NEVER_NIL = ("string", "bool", "int", "int64", "uint64", "float64")


@struct(frozen=True, eq=False)
class Function:
    """A callable with the Go types of its parameters.

    `variadic`: the type of each further argument, None when there are none. `least` is the number of parameters
    that must be given when it is known to be smaller than that of `parameters` (plain callables only).
    """

    call: Callable[..., Any]
    parameters: tuple[str, ...]
    variadic: str | None = None
    least: int | None = None

    def parameter(self, index: int) -> str:
        """Return the type of an argument."""
        return self.parameters[index] if index < len(self.parameters) else self.variadic or ANY

    def check_count(self, name: str, count: int) -> None:
        """Raise GoError when this many arguments cannot be given."""
        wanted = len(self.parameters)
        least = wanted if self.least is None else self.least
        if self.variadic is not None and count < least:
            raise GoError(f"wrong number of args for {name}: want at least {least} got {count}")
        if count < least or (count > wanted and self.variadic is None):
            raise GoError(f"wrong number of args for {name}: want {wanted} got {count}")


def function(call: Callable[..., Any], *parameters: str) -> Function:
    """Return a function with these types of parameters; the last may be variadic (`...string`)."""
    if parameters and parameters[-1].startswith("..."):
        return Function(call, parameters[:-1], parameters[-1][3:])
    return Function(call, parameters)


def as_function(call: Callable[..., Any] | Function) -> Function:
    """Return the function itself, or a plain callable with parameters of any type."""
    if isinstance(call, Function):
        return call
    import inspect  # which templates hardly ever need

    parameters = inspect.signature(call).parameters.values()
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    least = sum(p.default is p.empty for p in positional)
    variadic = ANY if any(p.kind is p.VAR_POSITIONAL for p in parameters) else None
    return Function(call, (ANY,) * len(positional), variadic, least)


def fit(value: Any, parameter: str) -> Any:
    """Return the value as an argument of a type; nil becomes the type's zero value. GoError when it cannot be given."""
    if parameter == ANY:
        return value
    if value is None:
        if parameter in _NEVER_NIL:
            raise GoError(f"invalid value; expected {parameter}")
        return zero_value(parameter)
    name = type_name(value)
    if name == parameter or (isinstance(value, Slice) and value.underlying == parameter):
        return value
    if name == "*" + parameter:  # one indirection is allowed
        return value
    raise GoError(f"wrong type for value; expected {parameter}; got {name}")


def fit_number(number: Any, text: str, parameter: str) -> Any:
    """Return a number literal as an argument of a type: it takes any type that can hold it."""
    if parameter == ANY:
        if number.ideal is None:
            raise GoError(f"{text} overflows int")
        return number.ideal
    if parameter in ("int", "int64"):
        if number.signed is not None:
            return number.signed if parameter == "int" else int64(number.signed)
        raise GoError(f"expected integer; found {text}")
    if parameter == "uint64":
        if number.unsigned is not None:
            return Uint64(number.unsigned)
        raise GoError(f"expected unsigned integer; found {text}")
    if parameter == "float64":
        if number.floating is not None:
            return number.floating
        raise GoError(f"expected float; found {text}")
    raise GoError(f"expected {parameter}; found {text}" if parameter in _NEVER_NIL else _unsuitable(text, parameter))


def fit_literal(value: str | bool, text: str, parameter: str) -> Any:
    """Return a string or boolean literal as an argument of a type."""
    if parameter in (ANY, type_name(value)):
        return value
    if parameter in _NEVER_NIL:
        wanted = {"int": "integer", "int64": "integer", "uint64": "unsigned integer", "float64": "float"}
        raise GoError(f"expected {wanted.get(parameter, parameter)}; found {text}")
    raise GoError(_unsuitable(text, parameter))


def _unsuitable(text: str, parameter: str) -> str:
    return f"can't handle {text} for arg of type {parameter}"


_UNPRINTABLE = (
    Function,
    Channel,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    types.WrapperDescriptorType,
    types.MethodDescriptorType,
    types.ClassMethodDescriptorType,
    types.MethodWrapperType,
)


def is_printable(value: Any) -> bool:
    """Return whether a template may print the value: not a function, not a channel."""
    return not isinstance(value, _UNPRINTABLE)
