"""The objects that templates see: services, nodes, checks, keys.

Each has its fields by the names that Consul's tools give them (`s.NodeAddress`), in the order in which a Go template
prints them, and in snake_case for Jinja2 (`s.node_address`). Maps and lists know their Go types.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, ClassVar, dataclass_transform

from pyconsul.agent.common.structs import REQUIRED, equip, fields_declared
from pyconsul.tools.gotemplate.runtime.values import Map, Slice

_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def snake_case(name: str) -> str:
    """Convert `NodeAddress` to `node_address`, `CheckID` to `check_id`."""
    return _WORD.sub("_", name).lower()


@dataclass_transform()
class _RecordType(type):
    """Makes records: their fields are slots."""

    def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> type:
        fields = fields_declared(namespace)
        defaults = {field: namespace.pop(field, REQUIRED) for field in fields}
        kind: Any = super().__new__(cls, name, bases, {**namespace, "__slots__": tuple(fields)})
        equip(kind, defaults, frozen=False, eq=True)
        kind.go_fields = tuple(fields)
        for field in fields:
            # The field's own descriptor, by its other name: as quick as the field itself.
            setattr(kind, snake_case(field), kind.__dict__[field])
        return kind  # type: ignore[no-any-return]


class Record(metaclass=_RecordType):
    """A Go struct, seen from a template. Subclasses declare the fields and `go_type`; nothing changes them later."""

    go_type: ClassVar[str]
    go_fields: ClassVar[tuple[str, ...]]


class NilMap(Map):
    """A map that was never made: as an empty one, but JSON's null."""

    __slots__ = ()
    is_nil: ClassVar[bool] = True


class Tags(Slice):
    """The sorted tags of a service."""

    go_methods: ClassVar[tuple[str, ...]] = ("Contains",)

    def __init__(self, tags: list[str] | None) -> None:
        super().__init__("dependency.ServiceTags", sorted(tags or ()), underlying="[]string")

    def Contains(self, tag: str) -> bool:  # noqa: N802 - templates call it by this name
        """Return whether the tag is one of them."""
        return tag in self


class ServiceAddress(Record):
    """One of a service's tagged addresses."""

    go_type: ClassVar[str] = "api.ServiceAddress"
    go_pointer: ClassVar[bool] = False
    Address: str = ""
    Port: int = 0


class Weights(Record):
    """How much DNS and proxies should prefer an instance."""

    go_type: ClassVar[str] = "api.AgentWeights"
    go_pointer: ClassVar[bool] = False
    Passing: int = 1
    Warning: int = 1


class HealthCheck(Record):
    """A check and its latest result."""

    go_type: ClassVar[str] = "api.HealthCheck"
    Node: str = ""
    CheckID: str = ""
    Name: str = ""
    Status: str = ""
    Notes: str = ""
    Output: str = ""
    ServiceID: str = ""
    ServiceName: str = ""
    ServiceTags: Slice | None = None
    Type: str = ""


#: From worst to best, as Consul's API package ranks them.
_SEVERITY = ("maintenance", "critical", "warning", "passing")
_MAINTENANCE = ("_node_maintenance", "_service_maintenance:")


class Checks(Slice):
    """The checks of an instance."""

    go_methods: ClassVar[tuple[str, ...]] = ("AggregatedStatus",)

    def __init__(self, checks: Iterable[HealthCheck] = ()) -> None:
        super().__init__("api.HealthChecks", checks, underlying="[]*api.HealthCheck")

    def AggregatedStatus(self) -> str:  # noqa: N802 - templates call it by this name
        """Return the worst status; "passing" without checks, "" with a check of an unknown status."""
        found = {"maintenance" if c.CheckID.startswith(_MAINTENANCE) else c.Status for c in self} or {"passing"}
        return "" if found - set(_SEVERITY) else next(status for status in _SEVERITY if status in found)


class HealthService(Record):
    """An instance of a service with its node and its health."""

    go_unprinted: ClassVar[frozenset[str]] = frozenset(("NodeDatacenter", "Kind", "Namespace"))

    go_type: ClassVar[str] = "dependency.HealthService"
    Node: str
    NodeID: str
    NodeAddress: str
    NodeDatacenter: str
    NodeTaggedAddresses: Map
    NodeMeta: Map
    ServiceMeta: Map
    ServiceTaggedAddresses: Map
    Address: str
    ID: str
    Kind: str
    Name: str
    Tags: Tags
    Checks: Slice
    Status: str
    Port: int
    Weights: Weights
    Namespace: str = ""


class CatalogSnippet(Record):
    """A service's name and all tags of its instances."""

    go_type: ClassVar[str] = "dependency.CatalogSnippet"
    Name: str
    Tags: Tags


class Node(Record):
    """A node of the catalog."""

    go_type: ClassVar[str] = "dependency.Node"
    ID: str
    Node: str
    Address: str
    Datacenter: str
    TaggedAddresses: Map
    Meta: Map


class CatalogNodeService(Record):
    """A service on a node."""

    go_type: ClassVar[str] = "dependency.CatalogNodeService"
    ID: str
    Service: str
    Tags: Tags
    Meta: Map
    Port: int
    Address: str
    EnableTagOverride: bool


class CatalogNode(Record):
    """A node and its services."""

    go_type: ClassVar[str] = "dependency.CatalogNode"
    Node: Any  # a Node; go.values.NilPointer or None when there is no such node
    Services: Slice


class KeyPair(Record):
    """A key and its value; `Key` is relative to the prefix that was asked for, `Path` whole."""

    go_type: ClassVar[str] = "dependency.KeyPair"
    Path: str
    Key: str
    Value: str
    Exists: bool = True
    CreateIndex: int = 0
    ModifyIndex: int = 0
    LockIndex: int = 0
    Flags: int = 0
    Session: str = ""
