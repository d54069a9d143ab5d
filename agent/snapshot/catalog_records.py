"""Catalog rows as records, and back: `Register` (a node alone, or with one instance or check) and coordinates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from msgspec import to_builtins

from pyconsul.agent.common.go.durations import format_go_duration_ns, parse_go_duration_ns
from pyconsul.agent.model.check import HealthCheck
from pyconsul.agent.model.coordinate import Coordinate, NodeCoordinate
from pyconsul.agent.model.node import Node
from pyconsul.agent.model.service import Locality, NodeService, ServiceAddress, ServiceInstance, Weights
from pyconsul.agent.snapshot.fields import Fields
from pyconsul.agent.state.schemas import CHECKS, COORDINATES, NODES, SERVICES

MAX_PORT = 65535
DURATIONS = ("DeregisterCriticalServiceAfter", "Interval", "TTL", "Timeout")
# A check's definition with nothing set, as Consul writes it.
NO_DEFINITION: dict[str, Any] = {
    "AliasNode": "", "AliasService": "", "Body": "", "DeregisterCriticalServiceAfter": 0, "DisableRedirects": False,
    "DockerContainerID": "", "GRPC": "", "GRPCUseTLS": False, "H2PING": "", "H2PingUseTLS": False, "HTTP": "", "Header": None,
    "Interval": 0, "Method": "", "OSService": "", "OutputMaxSize": 0, "ScriptArgs": None, "SessionName": "", "Shell": "",
    "TCP": "", "TCPUseTLS": False, "TLSServerName": "", "TLSSkipVerify": False, "TTL": 0, "Timeout": 0, "UDP": "",
}  # fmt: skip
# The mesh settings of an instance that has none.
NO_PROXY: dict[str, Any] = {
    "AccessLogs": {
        "DisableListenerLogs": False, "Enabled": False, "JSONFormat": "", "Path": "", "TextFormat": "", "Type": "",
    },
    "Config": None, "DestinationServiceID": "", "DestinationServiceName": "", "EnvoyExtensions": None,
    "Expose": {"Checks": False, "Paths": None}, "LocalServiceAddress": "", "LocalServicePort": 0,
    "LocalServiceSocketPath": "", "MeshGateway": {"Mode": ""}, "Mode": "", "MutualTLSMode": "",
    "TransparentProxy": {"DialedDirectly": False, "OutboundListenerPort": 0}, "Upstreams": None,
}  # fmt: skip


def read_register(record: Fields, left_out: Counter[str]) -> Iterator[tuple[str, Any]]:
    """Yield the rows of a `Register` record; the node's comes with each of its records."""
    if record.text("PeerName"):
        left_out["Register (imported from a peer)"] += 1
        return
    node = _node(record)
    yield NODES.name, node
    if (service := record.part("Service")) is not None:
        if _has_mesh_settings(service):
            left_out["mesh settings of a service"] += 1
        yield SERVICES.name, ServiceInstance(node.node, _service(service))
    for check in [record.part("Check"), *record.parts("Checks")]:
        if check is not None:
            yield CHECKS.name, _check(check, node.node)


def _node(record: Fields) -> Node:
    return Node(
        id=record.text("ID"),
        node=record.text("Node"),
        address=record.text("Address"),
        datacenter=record.text("Datacenter"),
        tagged_addresses=record.text_map("TaggedAddresses"),
        meta=record.text_map("NodeMeta"),
        create_index=record.index("CreateIndex"),
        modify_index=record.index("ModifyIndex"),
    )


def _has_mesh_settings(service: Fields) -> bool:
    connect = service.part("Connect")
    return bool(service.text("Kind") or (connect is not None and connect.flag("Native")))


def _service(part: Fields) -> NodeService:
    weights = part.part("Weights")
    return NodeService(
        id=part.text("ID"),
        service=part.text("Service"),
        tags=part.texts("Tags") or [],
        address=part.text("Address"),
        meta=part.text_map("Meta"),
        weights=Weights() if weights is None else Weights(_weight(weights, "Passing"), _weight(weights, "Warning")),
        enable_tag_override=part.flag("EnableTagOverride"),
        create_index=part.index("CreateIndex"),
        modify_index=part.index("ModifyIndex"),
        tagged_addresses=_tagged_addresses(part),
        port=part.integer("Port", 0, MAX_PORT),
        socket_path=part.text("SocketPath"),
        locality=None
        if (place := part.part("Locality")) is None
        else Locality(place.text("Region"), place.text("Zone")),
    )


def _weight(part: Fields, name: str) -> int:
    return part.integer(name, 0, MAX_PORT)


def _tagged_addresses(part: Fields) -> dict[str, ServiceAddress] | None:
    given = part.mapping("TaggedAddresses")
    if given is None:
        return None
    named = {name: Fields(value, f"{part.path}TaggedAddresses: ") for name, value in given.items()}
    return {name: ServiceAddress(one.text("Address"), one.integer("Port", 0, MAX_PORT)) for name, one in named.items()}


def _check(part: Fields, node: str) -> HealthCheck:
    definition = part.part("Definition")
    return HealthCheck(
        node=part.text("Node") or node,
        check_id=part.text("CheckID"),
        name=part.text("Name"),
        status=part.text("Status"),
        notes=part.text("Notes"),
        output=part.text("Output"),
        service_id=part.text("ServiceID"),
        service_name=part.text("ServiceName"),
        service_tags=part.texts("ServiceTags") or [],
        type=part.text("Type"),
        interval=part.text("Interval"),
        timeout=part.text("Timeout"),
        definition={} if definition is None else _definition(definition),
        create_index=part.index("CreateIndex"),
        modify_index=part.index("ModifyIndex"),
    )


def _definition(part: Fields) -> dict[str, Any]:
    """Return the non-empty fields of a check's definition; durations as the API shows them."""
    found: dict[str, Any] = {}
    for name, zero in NO_DEFINITION.items():
        value: Any
        if name in DURATIONS:
            number = part.integer(name)
            value = format_go_duration_ns(number) if number else ""
        elif isinstance(zero, bool):
            value = part.flag(name)
        elif isinstance(zero, int):
            value = part.integer(name)
        elif isinstance(zero, str):
            value = part.text(name)
        elif name == "Header":
            header = part.part(name)
            value = {key: header.texts(key) or [] for key in part.mapping(name) or ()} if header is not None else None
        else:
            value = part.texts(name)
        if value:
            found[name] = value
    return found


def read_coordinate(record: Fields) -> tuple[str, Any]:
    """Return the row of one of the coordinates of a record."""
    coord = record.part("Coord")
    if coord is None:
        raise record.fail("Coord", "is missing")
    numbers = Fields({str(place): value for place, value in enumerate(coord.items("Vec") or ())}, f"{coord.path}Vec: ")
    point = Coordinate(
        vec=[numbers.number(str(place)) for place in range(len(coord.items("Vec") or ()))],
        error=coord.number("Error"),
        adjustment=coord.number("Adjustment"),
        height=coord.number("Height"),
    )
    return COORDINATES.name, NodeCoordinate(record.text("Node"), record.text("Segment"), point)


def register(node: Node, service: NodeService | None = None, check: HealthCheck | None = None) -> dict[str, Any]:
    """Return a `Register` record."""
    return {
        "Address": node.address,
        "Check": None if check is None else _check_record(check),
        "Checks": None,
        "CreateIndex": node.create_index,
        "Datacenter": node.datacenter,
        "ID": node.id,
        "Locality": None,
        "ModifyIndex": node.modify_index,
        "Node": node.node,
        "NodeMeta": node.meta,
        "PeerName": "",
        "Service": None if service is None else _service_record(service),
        "SkipNodeUpdate": False,
        "TaggedAddresses": node.tagged_addresses,
        "Token": "",
    }


def _service_record(row: NodeService) -> dict[str, Any]:
    tagged = row.tagged_addresses
    return {
        "Address": row.address,
        "Connect": {"Native": False, "PeerMeta": None, "SidecarService": None},
        "CreateIndex": row.create_index,
        "EnableTagOverride": row.enable_tag_override,
        "ID": row.id,
        "Kind": "",
        "Locality": None if row.locality is None else to_builtins(row.locality),
        "LocallyRegisteredAsSidecar": False,
        "Meta": row.meta,
        "ModifyIndex": row.modify_index,
        "PeerName": "",
        "Port": row.port,
        "Proxy": NO_PROXY,
        "Service": row.service,
        "SocketPath": row.socket_path,
        "TaggedAddresses": tagged
        and {name: {"Address": one.address, "Port": one.port} for name, one in tagged.items()},
        "Tags": row.tags or None,
        "Weights": {"Passing": row.weights.passing, "Warning": row.weights.warning},
    }


def _check_record(row: HealthCheck) -> dict[str, Any]:
    return {
        "CheckID": row.check_id,
        "CreateIndex": row.create_index,
        "Definition": _definition_record(row.definition),
        "ExposedPort": 0,
        "Interval": row.interval,
        "ModifyIndex": row.modify_index,
        "Name": row.name,
        "Node": row.node,
        "Notes": row.notes,
        "Output": row.output,
        "PeerName": "",
        "ServiceID": row.service_id,
        "ServiceName": row.service_name,
        "ServiceTags": row.service_tags or None,
        "Status": row.status,
        "Timeout": row.timeout,
        "Type": row.type,
    }


def _definition_record(definition: dict[str, Any]) -> dict[str, Any]:
    """Return a definition with every field; values that Go's type would refuse are left at their zero."""
    found = dict(NO_DEFINITION)
    for name, zero in NO_DEFINITION.items():
        value = definition.get(name)
        if name in DURATIONS:
            found[name] = _nanoseconds(value)
        elif isinstance(zero, bool | str) and isinstance(value, type(zero)):
            found[name] = value
        elif isinstance(zero, int) and isinstance(value, int) and not isinstance(value, bool):
            found[name] = max(-(1 << 63), min(value, (1 << 63) - 1))
        elif name == "Header" and isinstance(value, dict):
            found[name] = {str(key): _texts(item) for key, item in value.items()}
        elif name == "ScriptArgs" and isinstance(value, list):
            found[name] = _texts(value)
    return found


def _nanoseconds(value: Any) -> int:
    try:
        return parse_go_duration_ns(value) if isinstance(value, str) else 0
    except ValueError:
        return 0


def _texts(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def coordinates(row: NodeCoordinate) -> list[dict[str, Any]]:
    """Return a record of one coordinate."""
    point = row.coord
    coord = {"Adjustment": point.adjustment, "Error": point.error, "Height": point.height, "Vec": point.vec}
    return [{"Coord": coord, "Node": row.node, "Segment": row.segment}]
