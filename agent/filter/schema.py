"""Selectors of a type, and the operators that each of them supports.

Consul's rules: texts, numbers and booleans can be equal; texts also contain and match; lists of these and maps contain and are
empty or not; lists of structures are only empty or not, but a selector goes through them to their fields.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from functools import cache
from typing import Any

import msgspec

from pyconsul.agent.filter.syntax import Operator


class Shape(Enum):
    """Kind of a field's value."""

    STRUCT = "struct"
    MAP = "map"
    LIST = "list"
    VALUE = "value"


EQUALITY = frozenset({Operator.EQUAL, Operator.NOT_EQUAL})
CONTAINING = frozenset({Operator.IN, Operator.NOT_IN})
EMPTINESS = frozenset({Operator.IS_EMPTY, Operator.IS_NOT_EMPTY})
MATCHING = frozenset({Operator.MATCHES, Operator.NOT_MATCHES})

#: Any key of a map.
ANY = "*"


@dataclass(frozen=True)
class Field:
    """A type as filters see it.

    `scalar` is what literals are read as: the value's own type, that of a list's items, or text for a map's keys.  `attributes` are
    the Python names of `fields`; a name without one is a field that Consul has and this program does not: it holds `zero`.
    """

    shape: Shape
    operators: frozenset[Operator] = frozenset()
    scalar: type | None = None
    fields: Mapping[str, Field] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict)
    zero: Any = None


def _value(kind: type) -> Field:
    operators = EQUALITY | CONTAINING | MATCHING if kind is str else EQUALITY
    return Field(Shape.VALUE, operators, kind, zero=kind())


VALUES = {kind: _value(kind) for kind in (str, int, float, bool)}
TEXT, NUMBER, BOOLEAN = VALUES[str], VALUES[int], VALUES[bool]


def _struct(fields: dict[str, Field]) -> Field:
    return Field(Shape.STRUCT, fields=fields)


def _list(item: Field) -> Field:
    if item.shape is Shape.VALUE:
        return Field(Shape.LIST, EMPTINESS | CONTAINING, item.scalar, zero=())
    return Field(Shape.LIST, EMPTINESS, None, item.fields, item.attributes, zero=())


def _map(item: Field | None) -> Field:
    fields = {} if item is None else {ANY: item}
    return Field(Shape.MAP, EMPTINESS | CONTAINING, str, fields, zero={})


# Fields that cannot be selected.
HIDDEN = frozenset({"CreateIndex", "ModifyIndex", "ContentHash", "Definition", "Locality", "ServiceLocality"})

# Fields of the service mesh, which filters written for Consul name (`ServiceKind != "connect-proxy"`).
_GATEWAY = _struct({"Mode": TEXT})
_PROXY = _struct(
    {
        **dict.fromkeys(("DestinationServiceName", "DestinationServiceID", "LocalServiceAddress"), TEXT),
        **dict.fromkeys(("LocalServiceSocketPath", "Mode"), TEXT),
        "LocalServicePort": NUMBER,
        "MeshGateway": _GATEWAY,
        "Upstreams": _list(
            _struct(
                {
                    **dict.fromkeys(("DestinationType", "DestinationNamespace", "DestinationName"), TEXT),
                    **dict.fromkeys(("Datacenter", "LocalBindAddress"), TEXT),
                    "LocalBindPort": NUMBER,
                    "MeshGateway": _GATEWAY,
                }
            )
        ),
    }
)
_CONNECT = _struct({"Native": BOOLEAN})
_SERVICE = {"Kind": TEXT, "Proxy": _PROXY, "Connect": _CONNECT, "PeerName": TEXT}
ABSENT: dict[str, dict[str, Field]] = {
    "Node": {"PeerName": TEXT, "Partition": TEXT},
    "NodeService": _SERVICE,
    "AgentService": _SERVICE | {"Datacenter": TEXT, "Namespace": TEXT, "Partition": TEXT},
    "CatalogService": {"ServiceKind": TEXT, "ServiceProxy": _PROXY, "ServiceConnect": _CONNECT, "PeerName": TEXT},
    "HealthCheck": {"PeerName": TEXT},
}


@cache
def schema_of(kind: Any) -> Field | None:
    """Return a type as filters see it; None for an opaque one."""
    kind = _without_none(kind)
    if kind in VALUES:
        return VALUES[kind]
    if isinstance(kind, type) and issubclass(kind, IntEnum):
        return NUMBER
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _struct_of(kind)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (list, tuple, set, frozenset):
        item = schema_of(arguments[0])
        return None if item is None else _list(item)
    if origin is dict and arguments[0] is str:
        return _map(schema_of(arguments[1]))
    return None


def _struct_of(kind: type[msgspec.Struct]) -> Field:
    fields, attributes = dict(ABSENT.get(kind.__name__, {})), {}
    for info in msgspec.structs.fields(kind):
        found = schema_of(info.type)
        if found is not None and info.encode_name not in HIDDEN and info.encode_name not in fields:
            fields[info.encode_name] = found
            attributes[info.encode_name] = info.name
    return Field(Shape.STRUCT, fields=fields, attributes=attributes)


def _without_none(kind: Any) -> Any:
    """`str | None` -> `str`"""
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        rest = [each for each in typing.get_args(kind) if each is not type(None)]
        return rest[0] if len(rest) == 1 else kind
    return kind
