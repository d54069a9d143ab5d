"""PUT /v1/catalog/register and /v1/catalog/deregister: rows put into the catalog directly, without an agent.

https://developer.hashicorp.com/consul/api-docs/catalog#register-entity
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import msgspec

from pyconsul.agent.common.go.quoting import go_quote
from pyconsul.agent.common.uuids import is_uuid
from pyconsul.agent.httpapi.codec.check_definition import DefinitionBody, definition_row, type_of
from pyconsul.agent.httpapi.codec.decoding import GoType, decode
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import TRUE, Response, bad_request, server_error
from pyconsul.agent.httpapi.core.router import Route, Write
from pyconsul.agent.httpapi.core.validation import refuse_control_characters
from pyconsul.agent.httpapi.handlers.catalog.access import (
    refuse_agents_check,
    require_deregistration,
    require_registration,
)
from pyconsul.agent.model.check import HealthCheck
from pyconsul.agent.model.node import Node
from pyconsul.agent.model.service import Locality, NodeService, ServiceAddress, Weights
from pyconsul.agent.model.wire import camel
from pyconsul.agent.state.catalog import checks, nodes, services
from pyconsul.agent.state.schemas import NODES
from pyconsul.agent.state.write_txn import WriteTxn
from pyconsul.agent.sync.definition import weights_fault

Index = Annotated[int, GoType("uint64")]


class WeightsInput(msgspec.Struct, rename=camel):
    """SRV weights; a weight that is not given is 0."""

    go_name: ClassVar[str] = "structs.Weights"
    passing: int = 0
    warning: int = 0


class AddressInput(msgspec.Struct, rename=camel):
    """A tagged address of an instance."""

    go_name: ClassVar[str] = "structs.ServiceAddress"
    address: str = ""
    port: int = 0


class ServiceInput(msgspec.Struct, kw_only=True, rename=camel):
    """The `Service` of a registration; what belongs to the mesh is taken and ignored."""

    go_name: ClassVar[str] = "structs.NodeService"
    id: str = ""
    service: str = ""
    tags: list[str] | None = None
    address: str = ""
    meta: dict[str, str] | None = None
    port: int = 0
    socket_path: str = ""
    weights: WeightsInput | None = None
    enable_tag_override: bool = False
    tagged_addresses: dict[str, AddressInput] | None = None
    kind: str = ""
    proxy: dict[str, Any] | None = None
    connect: dict[str, Any] | None = None
    peer_name: str = ""
    locality: Locality | None = None
    create_index: Index = 0
    modify_index: Index = 0


class CheckInput(msgspec.Struct, kw_only=True, rename=camel):
    """A `Check` of a registration."""

    go_name: ClassVar[str] = "structs.HealthCheck"
    node: str = ""
    check_id: str = ""
    name: str = ""
    status: str = ""
    notes: str = ""
    output: str = ""
    service_id: str = ""
    service_name: str = ""
    service_tags: list[str] | None = None
    type: str = ""
    interval: str = ""
    timeout: str = ""
    definition: DefinitionBody = msgspec.field(default_factory=DefinitionBody)
    exposed_port: int = 0
    peer_name: str = ""
    create_index: Index = 0
    modify_index: Index = 0


class Registration(msgspec.Struct, kw_only=True, rename=camel):
    """The body of a registration."""

    go_name: ClassVar[str] = "structs.RegisterRequest"
    id: str = ""
    node: str = ""
    address: str = ""
    datacenter: str = ""
    tagged_addresses: dict[str, str] | None = None
    node_meta: dict[str, str] | None = None
    service: ServiceInput | None = None
    check: CheckInput | None = None
    checks: list[CheckInput] | None = None
    skip_node_update: bool = False
    peer_name: str = ""
    locality: dict[str, Any] | None = None
    write_request: dict[str, Any] | None = None  # from python-consul, which passes its token as a parameter, too


class Deregistration(msgspec.Struct, kw_only=True, rename=camel):
    """The body of a deregistration: of an instance, of a check, or of the node with all it has."""

    go_name: ClassVar[str] = "structs.DeregisterRequest"
    node: str = ""
    address: str = ""
    datacenter: str = ""
    service_id: str = ""
    check_id: str = ""
    peer_name: str = ""
    write_request: dict[str, Any] | None = None


async def register(context: Context, request: Request) -> Response:
    """Add or update a node, and with it an instance and checks, all or nothing."""
    body = decode(request.body, Registration)
    refuse_control_characters(context, body)
    context.require_here(body.datacenter)
    _refuse_malformed(body)
    node = Node(
        body.id, body.node, body.address, context.config.datacenter, body.tagged_addresses, body.node_meta, 0, 0
    )
    service = node_service(body.service) if body.service else None
    found = [*(body.checks or ()), *((body.check,) if body.check else ())]
    rows = [health_check(check, body.node) for check in found]
    caller = request.caller
    for check in rows:
        refuse_agents_check(context, body.node, check.check_id)

    def write(txn: WriteTxn) -> None:
        require_registration(caller, txn, node, body.skip_node_update, service, rows)
        _register(txn, node, body.skip_node_update, service, rows)

    await context.commit(write)
    return TRUE


def _refuse_malformed(body: Registration) -> None:
    if not body.node:
        raise server_error("Must provide node")
    if not body.address and not body.skip_node_update:
        raise server_error("Must provide address if SkipNodeUpdate is not set")
    if body.id:
        _refuse_bad_uuid(body.id)
    service = body.service
    if service is not None and service.id and not service.service:
        raise server_error("Must provide service name (Service.Service) when service ID is provided")
    if service is not None and service.address in ("0.0.0.0", "::", "[::]"):
        raise server_error("Invalid service address")
    if service is not None and (refusal := mesh_refusal(service.kind, service.connect)):
        raise bad_request(refusal)


def _refuse_bad_uuid(text: str) -> None:
    if len(text) != 36:
        raise server_error("Bad node ID: uuid string is wrong length")
    if not is_uuid(text):
        raise server_error("Bad node ID: uuid is improperly formatted")


def mesh_refusal(kind: str, connect: Mapping[str, Any] | None) -> str:
    """Return the refusal of an instance that is part of a service mesh; empty for other instances."""
    if kind:
        return f"pyconsul has no service mesh: a service of kind {go_quote(kind)} cannot be registered"
    if any(value and key.lower().replace("_", "") == "sidecarservice" for key, value in (connect or {}).items()):
        return "pyconsul has no service mesh: Connect.SidecarService cannot be registered"
    return ""


def node_service(given: ServiceInput) -> NodeService:
    """Return the catalog's row of a registered instance, every default filled in."""
    addresses = given.tagged_addresses or {}
    return NodeService(
        id=given.id or given.service,
        service=given.service,
        tags=given.tags or [],
        address=given.address,
        meta=given.meta,
        weights=_weights(given.weights),
        enable_tag_override=given.enable_tag_override,
        create_index=0,
        modify_index=0,
        tagged_addresses={tag: ServiceAddress(one.address, one.port) for tag, one in addresses.items()} or None,
        port=given.port,
        socket_path=given.socket_path,
        locality=given.locality,
    )


def _weights(given: WeightsInput | None) -> Weights:
    """Weights that no SRV record can carry count as not given; Go's client sends 0 for what is not set."""
    weights = Weights(given.passing, given.warning) if given else Weights()
    return Weights() if weights_fault(weights) else weights


def health_check(given: CheckInput, node: str) -> HealthCheck:
    """Return the catalog's row of a registered check, every default filled in."""
    return HealthCheck(
        node=given.node or node,
        check_id=given.check_id or given.name,
        name=given.name,
        status=given.status,
        notes=given.notes,
        output=given.output,
        service_id=given.service_id,
        service_name=given.service_name,
        service_tags=given.service_tags or [],
        type=given.type or type_of(given.definition),
        interval=given.interval,
        timeout=given.timeout,
        definition=definition_row(given.definition),
        create_index=0,
        modify_index=0,
        exposed_port=given.exposed_port,
    )


def _register(txn: WriteTxn, node: Node, keep_node: bool, service: NodeService | None, rows: list[HealthCheck]) -> None:
    if not keep_node or txn[NODES].get(node.node.lower()) is None:
        nodes.ensure_node(txn, node)
    if service is not None:
        services.ensure_service(txn, node.node, service)
    for check in rows:
        if check.node.lower() != node.node.lower():
            raise server_error(f'check node "{check.node}" does not match node "{node.node}"')
        checks.ensure_check(txn, check)


async def deregister(context: Context, request: Request) -> Response:
    """Remove an instance, a check, or a node; nothing happens when it does not exist."""
    body = decode(request.body, Deregistration)
    context.require_here(body.datacenter)
    if not body.node:
        raise server_error("Must provide node")
    caller = request.caller
    if not body.service_id:
        refuse_agents_check(context, body.node, body.check_id)

    def write(txn: WriteTxn) -> None:
        require_deregistration(caller, txn, body.node, body.service_id, body.check_id)
        _deregister(txn, body)

    await context.commit(write)
    return TRUE


def _deregister(txn: WriteTxn, body: Deregistration) -> None:
    if body.service_id:
        services.delete_service(txn, body.node, body.service_id)
    elif body.check_id:
        checks.delete_check(txn, body.node, body.check_id)
    else:
        nodes.delete_node(txn, body.node)


ROUTES = (
    Route("/v1/catalog/register", {"PUT": Write(register, "handler node:write")}),
    Route("/v1/catalog/deregister", {"PUT": Write(deregister, "handler node:write")}),
)
