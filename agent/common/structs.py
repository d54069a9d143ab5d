"""Classes that hold fields, as `dataclasses` makes them, for programs that run for milliseconds. Pure.

    @struct(frozen=True)
    class Point:
        x: int
        y: int = 0

`dataclasses` loads `inspect` and compiles up to eight methods a class, 0.5 ms each; here `__init__` alone is compiled, at
the first call. `frozen` is checked by mypy, not at run time; a class that is not frozen cannot be hashed.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, TypeVar, cast, dataclass_transform

_T = TypeVar("_T")
#: The default of a field without one.
REQUIRED: Any = object()


class _Factory:
    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make


def field(*, default_factory: Callable[[], _T]) -> _T:
    """Return the default of a field that is made for each object."""
    return cast(_T, _Factory(default_factory))


@dataclass_transform(field_specifiers=(field,))
def struct(*, frozen: bool, eq: bool = True) -> Callable[[type[_T]], type[_T]]:
    """Return a decorator of classes. Without `eq`, objects are equal to themselves alone."""

    def decorate(cls: type[_T]) -> type[_T]:
        own = fields_declared(cls.__dict__)
        equip(cls, {name: cls.__dict__.get(name, REQUIRED) for name in own}, frozen=frozen, eq=eq)
        return cls

    return decorate


def fields_declared(namespace: Any) -> list[str]:
    """Return the fields that a class's namespace declares, in order. Annotations are strings (PEP 563)."""
    return [name for name, kind in namespace.get("__annotations__", {}).items() if not kind.startswith("ClassVar")]


def equip(cls: Any, defaults: dict[str, Any], *, frozen: bool, eq: bool) -> None:
    """Give a class its methods. `defaults`: of its own fields."""
    known: dict[str, Any] = {**getattr(cls, "__struct_defaults__", {}), **defaults}
    names = tuple(known)
    tables = {"__struct_defaults__": known, "__struct_fields__": names, "__match_args__": names}
    for name, table in tables.items():
        setattr(cls, name, table)
    if "__init__" not in cls.__dict__:
        cls.__init__ = _compiling(cls)
    if "__repr__" not in cls.__dict__:
        cls.__repr__ = _shown
    if eq and "__eq__" not in cls.__dict__:
        _add_equality(cls, names, frozen)


def _add_equality(cls: Any, names: tuple[str, ...], frozen: bool) -> None:
    values: Callable[[Any], Any] = attrgetter(*names) if names else lambda _: ()

    def equal(self: Any, other: object) -> Any:
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    cls.__eq__ = equal
    if "__hash__" not in cls.__dict__ or cls.__dict__["__hash__"] is None:
        cls.__hash__ = (lambda self: hash(values(self))) if frozen else None


def replace(value: _T, **changes: Any) -> _T:
    """Return a copy with some fields changed."""
    fields: tuple[str, ...] = getattr(value, "__struct_fields__")  # noqa: B009 - mypy knows nothing of it
    return type(value)(**{**{name: getattr(value, name) for name in fields}, **changes})


def _shown(self: Any) -> str:
    shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__struct_fields__)
    return f"{type(self).__qualname__}({shown})"


def _compiling(cls: Any) -> Callable[..., None]:
    """Return an `__init__` that replaces itself with the compiled one."""

    def init(self: Any, *args: Any, **given: Any) -> None:
        cls.__init__ = _compile(cls.__struct_defaults__)
        cls.__init__(self, *args, **given)

    return init


def _compile(defaults: dict[str, Any]) -> Any:
    parameters, lines = ["self"], []
    for name, default in defaults.items():
        parameters.append(name if default is REQUIRED else f"{name}=defaults[{name!r}]")
        factory = isinstance(default, _Factory)
        made = f"{name}.make() if {name} is defaults[{name!r}] else {name}"
        lines.append(f"self.{name} = {made if factory else name}")
    source = f"def __init__({', '.join(parameters)}):\n    " + "\n    ".join([*lines, "return"])
    scope: dict[str, Any] = {"defaults": defaults}
    exec(source, scope)
    return scope["__init__"]
