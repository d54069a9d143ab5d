"""From the JSON of Consul's HTTP API to the records that templates see, sorted as they see them. Pure.

Each function takes the decoded body, None for "not found" (404). Fields: https://developer.hashicorp.com/consul/api-docs
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any

from pyconsul.tools.gotemplate.runtime.values import Map, Slice, Uint64
from pyconsul.tools.template.feed.records import (
    CatalogNode,
    CatalogNodeService,
    CatalogSnippet,
    Checks,
    HealthCheck,
    HealthService,
    KeyPair,
    NilMap,
    Node,
    ServiceAddress,
    Tags,
    Weights,
)

Json = Any
_ORDER = ("maintenance", "critical", "unknown", "warning")


def _texts(entries: Mapping[str, str] | None) -> Map:
    """Return a `map[string]string`; null is kept apart from an empty one."""
    kind = NilMap if entries is None else Map
    return kind("map[string]string", entries or (), zero="")


def aggregated_status(checks: Iterable[HealthCheck]) -> str:
    """Return the worst of the checks; a node or service in maintenance is that before all."""
    found = {_check_status(check) for check in checks}
    return next((status for status in _ORDER if status in found), "passing")


def _check_status(check: HealthCheck) -> str:
    if check.CheckID == "_node_maintenance" or check.CheckID.startswith("_service_maintenance:"):
        return "maintenance"
    return check.Status


def _check(entry: Mapping[str, Any]) -> HealthCheck:
    tags = entry.get("ServiceTags")
    return HealthCheck(
        Node=entry.get("Node", ""),
        CheckID=entry.get("CheckID", ""),
        Name=entry.get("Name", ""),
        Status=entry.get("Status", ""),
        Notes=entry.get("Notes", ""),
        Output=entry.get("Output", ""),
        ServiceID=entry.get("ServiceID", ""),
        ServiceName=entry.get("ServiceName", ""),
        ServiceTags=Slice("[]string", tags or ()),
        Type=entry.get("Type", ""),
    )


def _addresses(entries: Mapping[str, Mapping[str, Any]] | None) -> Map:
    found = {name: ServiceAddress(e.get("Address", ""), e.get("Port", 0)) for name, e in (entries or {}).items()}
    return Map("map[string]api.ServiceAddress", found, zero=ServiceAddress())


def _instance(entry: Mapping[str, Any]) -> HealthService:
    node, service = entry["Node"], entry["Service"]
    checks = Checks(map(_check, entry.get("Checks") or ()))
    weights = service.get("Weights") or {}
    return HealthService(
        Node=node["Node"],
        NodeID=node.get("ID", ""),
        NodeAddress=node.get("Address", ""),
        NodeDatacenter=node.get("Datacenter", ""),
        NodeTaggedAddresses=_texts(node.get("TaggedAddresses")),
        NodeMeta=_texts(node.get("Meta")),
        ServiceMeta=_texts(service.get("Meta")),
        ServiceTaggedAddresses=_addresses(service.get("TaggedAddresses")),
        Address=service.get("Address") or node.get("Address", ""),
        ID=service.get("ID", ""),
        Kind=service.get("Kind", ""),
        Name=service.get("Service", ""),
        Tags=Tags(service.get("Tags")),
        Checks=checks,
        Status=aggregated_status(checks),
        Port=service.get("Port", 0),
        Weights=Weights(weights.get("Passing", 1), weights.get("Warning", 1)),
    )


def instances(body: Json) -> Slice:
    """Decode `/v1/health/service/…`, in Consul's order."""
    return Slice("[]*dependency.HealthService", map(_instance, body or ()))


def instances_by_node(body: Json) -> Slice:
    """Decode `/v1/health/service/…`, ordered by node, then by ID."""
    found = instances(body)
    found.sort(key=lambda service: (service.Node, service.ID))
    return found


def services(body: Json) -> Slice:
    """Decode `/v1/catalog/services`, ordered by name."""
    found = (CatalogSnippet(name, Tags(tags)) for name, tags in sorted((body or {}).items()))
    return Slice("[]*dependency.CatalogSnippet", found)


def _node(entry: Mapping[str, Any]) -> Node:
    return Node(
        ID=entry.get("ID", ""),
        Node=entry.get("Node", ""),
        Address=entry.get("Address", ""),
        Datacenter=entry.get("Datacenter", ""),
        TaggedAddresses=_texts(entry.get("TaggedAddresses")),
        Meta=_texts(entry.get("Meta")),
    )


def nodes(body: Json) -> Slice:
    """Decode `/v1/catalog/nodes`, in Consul's order."""
    return Slice("[]*dependency.Node", map(_node, body or ()))


def nodes_by_name(body: Json) -> Slice:
    """Decode `/v1/catalog/nodes`, ordered by name, then by address."""
    found = nodes(body)
    found.sort(key=lambda node: (node.Node, node.Address))
    return found


def node(body: Json) -> CatalogNode | None:
    """Decode `/v1/catalog/node/…`, its services by name, then by ID; None when the node does not exist."""
    if not body or not body.get("Node"):
        return None
    entries = body.get("Services") or {}
    found = [
        CatalogNodeService(
            ID=entry.get("ID", ""),
            Service=entry.get("Service", ""),
            Tags=Tags(entry.get("Tags")),
            Meta=_texts(entry.get("Meta")),
            Port=entry.get("Port", 0),
            Address=entry.get("Address", ""),
            EnableTagOverride=entry.get("EnableTagOverride", False),
        )
        for entry in entries.values()
    ]
    found.sort(key=lambda service: (service.Service, service.ID))
    return CatalogNode(_node(body["Node"]), Slice("[]*dependency.CatalogNodeService", found))


def own_name(body: Json) -> str:
    """Decode `/v1/agent/self`: return the name of the agent's node."""
    return str((body or {}).get("Config", {}).get("NodeName", ""))


def datacenters(body: Json) -> Slice:
    """Decode `/v1/catalog/datacenters`, the nearest first."""
    return Slice("[]string", body or ())


def text_of(value: str | None) -> str:
    """Return a KV value; bytes that are no UTF-8 become surrogate escapes, and bytes again when a file is written."""
    return base64.b64decode(value or "").decode("utf-8", "surrogateescape")


def pair(body: Json) -> KeyPair | None:
    """Decode `/v1/kv/…`; None when the key does not exist."""
    return _pair(body[0], "") if body else None


def pairs(body: Json) -> list[KeyPair] | None:
    """Decode `/v1/kv/…?recurse`, by path; keys are whole, folder keys (`…/`) are left out. None without keys."""
    return None if body is None else [_pair(entry, "") for entry in body if not entry["Key"].endswith("/")]


def _pair(entry: Mapping[str, Any], prefix: str) -> KeyPair:
    return KeyPair(
        Path=entry["Key"],
        Key=entry["Key"],
        Value=text_of(entry.get("Value")),
        CreateIndex=Uint64(entry.get("CreateIndex", 0)),
        ModifyIndex=Uint64(entry.get("ModifyIndex", 0)),
        LockIndex=Uint64(entry.get("LockIndex", 0)),
        Flags=Uint64(entry.get("Flags", 0)),
        Session=entry.get("Session") or "",
    )


def below(found: list[KeyPair], prefix: str) -> Slice:
    """Return the pairs with keys relative to the prefix; the prefix itself, were it a key, is left out."""
    kept = []
    for entry in found:
        if key := entry.Path[len(prefix) :].lstrip("/"):
            kept.append(
                KeyPair(
                    entry.Path,
                    key,
                    entry.Value,
                    entry.Exists,
                    entry.CreateIndex,
                    entry.ModifyIndex,
                    entry.LockIndex,
                    entry.Flags,
                    entry.Session,
                )
            )
    return Slice("[]*dependency.KeyPair", kept)


def directly_in(found: list[KeyPair]) -> Slice:
    """Return the pairs that are in no folder below."""
    return Slice("[]*dependency.KeyPair", (entry for entry in found if "/" not in entry.Key))
