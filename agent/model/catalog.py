"""Joined rows, as the catalog and health endpoints answer them."""

from __future__ import annotations

import msgspec

from pyconsul.agent.model.check import HealthCheck
from pyconsul.agent.model.node import Node
from pyconsul.agent.model.service import (
    NO_PROXY,
    NOTHING,
    Locality,
    NodeService,
    Nothing,
    ProxyConfig,
    ServiceAddress,
    Weights,
)
from pyconsul.agent.model.wire import camel


class CheckServiceNode(msgspec.Struct, frozen=True, rename=camel):
    """An instance with its node and every check that counts for it: the node's own, then the instance's."""

    node: Node
    service: NodeService
    checks: list[HealthCheck]


class CatalogService(msgspec.Struct, frozen=True, kw_only=True, rename=camel, omit_defaults=True):
    """An instance and its node in one flat object (https://developer.hashicorp.com/consul/api-docs/catalog#list-nodes-for-service)."""

    id: str
    node: str
    address: str
    datacenter: str
    tagged_addresses: dict[str, str] | None
    node_meta: dict[str, str] | None
    service_id: str
    service_name: str
    service_tags: list[str]
    service_address: str
    service_weights: Weights
    service_meta: dict[str, str]
    service_port: int
    service_socket_path: str
    service_enable_tag_override: bool
    create_index: int
    modify_index: int
    service_tagged_addresses: dict[str, ServiceAddress] | None = None
    # As in `NodeService`.
    service_kind: str = msgspec.field(default_factory=str)
    service_proxy: ProxyConfig = msgspec.field(default_factory=lambda: NO_PROXY)
    service_connect: Nothing = msgspec.field(default_factory=lambda: NOTHING)
    service_locality: Locality | None = msgspec.field(default_factory=lambda: None)


def flatten(node: Node, service: NodeService) -> CatalogService:
    """Join an instance with its node."""
    return CatalogService(
        id=node.id,
        node=node.node,
        address=node.address,
        datacenter=node.datacenter,
        tagged_addresses=node.tagged_addresses,
        node_meta=node.meta,
        service_id=service.id,
        service_name=service.service,
        service_tags=service.tags,
        service_address=service.address,
        service_weights=service.weights,
        service_meta=service.meta or {},
        service_port=service.port,
        service_socket_path=service.socket_path,
        service_enable_tag_override=service.enable_tag_override,
        create_index=service.create_index,
        modify_index=service.modify_index,
        service_tagged_addresses=service.tagged_addresses,
        service_locality=service.locality,
    )


class NodeServices(msgspec.Struct, frozen=True, rename=camel):
    """A node and its instances by ID."""

    node: Node
    services: dict[str, NodeService]


class NodeServiceList(msgspec.Struct, frozen=True, rename=camel):
    """A node and its instances as a list."""

    node: Node
    services: list[NodeService]
