"""The texts in Consul's answers, field by field: found, or replaced in copies of the answers. Pure."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any

from pyconsul.agent.common.structs import struct
from pyconsul.tools.gotemplate.runtime.values import Map, Slice
from pyconsul.tools.template.feed.records import (
    CatalogNode,
    CatalogNodeService,
    CatalogSnippet,
    HealthCheck,
    HealthService,
    KeyPair,
    Node,
    Record,
)

_MAX_SHOWN = 60  # characters of a field in a message
#: Texts of checks for people, which may have several lines.
_FREE = ("Output", "Notes")


@struct(frozen=True)
class Field:
    """`owner`: the service, instance or node that it belongs to."""

    owner: str
    name: str
    text: str

    def __str__(self) -> str:
        shown = self.text if len(self.text) <= _MAX_SHOWN else self.text[:_MAX_SHOWN] + "…"
        return f"{self.owner}: the field {self.name} is {shown!r}"


Change = Callable[[Field], str]


def dangerous_fields(answer: Any, dangerous: re.Pattern[str], *, checks: bool, free: bool) -> list[Field]:
    """Return the fields with a dangerous character. `checks`: include health checks; `free`: and their output and notes."""
    found: dict[Field, None] = {}

    def note(field: Field) -> str:
        if dangerous.search(field.text) and (free or not field.name.endswith(_FREE)):
            found[field] = None
        return field.text

    for entry in answer if isinstance(answer, list) else [answer]:
        # Most instances have none: one search finds that out.
        if type(entry) is HealthService and not checks and not dangerous.search(_joined(entry)):
            continue
        rewrite(entry, note, checks=checks)
    return list(found)


_ADDRESS = attrgetter("Address")


def _joined(one: HealthService) -> str:
    return "".join(
        (
            *(one.Node, one.NodeID, one.NodeAddress, one.NodeDatacenter, one.Address, one.ID, one.Kind, one.Name),
            *(one.Namespace, one.Status, *one.Tags, *one.NodeMeta, *one.NodeMeta.values()),
            *(*one.ServiceMeta, *one.ServiceMeta.values(), *one.NodeTaggedAddresses),
            *(*one.NodeTaggedAddresses.values(), *one.ServiceTaggedAddresses),
            *map(_ADDRESS, one.ServiceTaggedAddresses.values()),
        )
    )


def rewrite(value: Any, change: Change, *, checks: bool = True, owner: str = "", name: str = "") -> Any:
    """Return a copy whose texts are changed by `change`; data of the KV store is not catalog data."""
    if isinstance(value, str):
        return change(Field(owner or "the catalog", name or "name", value))

    def inner(part: Any, more: str) -> Any:
        return rewrite(
            part, change, checks=checks, owner=owner, name=f"{name}.{more}" if name and more else name or more
        )

    if isinstance(value, Record):
        if isinstance(value, KeyPair) or (isinstance(value, HealthCheck) and not checks):
            return value
        owner = _owner(value, owner)
        return type(value)(**{field: inner(getattr(value, field), field) for field in value.go_fields})
    if isinstance(value, Map):
        changed = copy.copy(value)
        changed.clear()
        changed.update(
            (inner(key, "") if isinstance(key, str) else key, inner(part, str(key))) for key, part in value.items()
        )
        return changed
    if isinstance(value, Slice):
        listed = copy.copy(value)
        listed[:] = [inner(part, "") for part in value]
        return listed
    return value


def _owner(record: Record, outer: str) -> str:
    if isinstance(record, HealthService):
        return f"service {_name(record.Name)}, instance {_name(record.ID)} on node {_name(record.Node)}"
    if isinstance(record, CatalogSnippet):
        return f"service {_name(record.Name)}"
    if isinstance(record, Node):
        return f"node {_name(record.Node)}"
    if isinstance(record, CatalogNode):
        return _owner(record.Node, outer) if isinstance(record.Node, Node) else outer
    if isinstance(record, CatalogNodeService):
        return f"service {_name(record.Service)}, instance {_name(record.ID)}" + (f" on {outer}" if outer else "")
    if isinstance(record, HealthCheck) and not outer:
        return f"check {_name(record.CheckID)} on node {_name(record.Node)}"
    return outer


def _name(text: str) -> str:
    """Return a name as messages show it: it may hold anything."""
    return text if text.isprintable() and len(text) <= _MAX_SHOWN else repr(text[:_MAX_SHOWN])


def union(parts: Iterable[Iterable[Field]]) -> list[Field]:
    """Return all fields, each once."""
    return list(dict.fromkeys(field for part in parts for field in part))
