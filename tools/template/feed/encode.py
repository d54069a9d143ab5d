"""From what templates see back to the JSON of Consul's HTTP API: `decode` of it gives the same again. Pure."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pyconsul.tools.gotemplate.runtime.values import Map
from pyconsul.tools.template.feed.records import (
    CatalogNode,
    CatalogNodeService,
    CatalogSnippet,
    HealthService,
    KeyPair,
    NilMap,
    Record,
)

if TYPE_CHECKING:
    from pyconsul.tools.template.feed.lookups import Lookup

Json = Any


def body_of(lookup: Lookup, answer: Any) -> Json:
    """Return the body of Consul's answer to a lookup; None for "not found". Not for files, which are no Consul's."""
    if answer is None:
        return None
    match lookup.kind:
        case "service" | "service_near":
            return [_instance(entry) for entry in answer]
        case "services":
            return _services(answer)
        case "nodes" | "nodes_near":
            return [_fields(entry) for entry in answer]
        case "node":
            return _node(answer)
        case "agent":
            return {"Config": {"NodeName": answer}}
        case "key":
            return [_pair(answer)]
        case "keys":
            return [_pair(entry) for entry in answer]
    return list(answer)


def _texts(entries: Map) -> dict[str, str] | None:
    return None if isinstance(entries, NilMap) else dict(entries)


def _fields(record: Record) -> Json:
    """Return the fields of a record whose names are those of the JSON, without maps and lists."""
    found = {}
    for name in record.go_fields:
        value = getattr(record, name)
        found[name] = _texts(value) if isinstance(value, Map) else list(value) if isinstance(value, list) else value
    return found


def _instance(entry: HealthService) -> Json:
    addresses = {name: {"Address": one.Address, "Port": one.Port} for name, one in entry.ServiceTaggedAddresses.items()}
    return {
        "Node": {
            "ID": entry.NodeID,
            "Node": entry.Node,
            "Address": entry.NodeAddress,
            "Datacenter": entry.NodeDatacenter,
            "TaggedAddresses": _texts(entry.NodeTaggedAddresses),
            "Meta": _texts(entry.NodeMeta),
        },
        "Service": {
            "ID": entry.ID,
            "Service": entry.Name,
            "Kind": entry.Kind,
            "Tags": list(entry.Tags),
            "Address": entry.Address,
            "TaggedAddresses": addresses,
            "Meta": _texts(entry.ServiceMeta),
            "Port": entry.Port,
            "Weights": {"Passing": entry.Weights.Passing, "Warning": entry.Weights.Warning},
        },
        "Checks": [_fields(check) for check in entry.Checks],
    }


def _services(answer: Iterable[CatalogSnippet]) -> Json:
    return {entry.Name: list(entry.Tags) for entry in answer}


def _node(answer: CatalogNode) -> Json:
    services: Iterable[CatalogNodeService] = answer.Services
    return {"Node": _fields(answer.Node), "Services": {entry.ID: _fields(entry) for entry in services}}


def _pair(pair: KeyPair) -> Json:
    return {
        "Key": pair.Path,
        "Value": base64.b64encode(pair.Value.encode("utf-8", "surrogateescape")).decode(),
        "Flags": int(pair.Flags),
        "Session": pair.Session,
        "CreateIndex": int(pair.CreateIndex),
        "ModifyIndex": int(pair.ModifyIndex),
        "LockIndex": int(pair.LockIndex),
    }
