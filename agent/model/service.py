"""A service instance as the catalog knows it (https://developer.hashicorp.com/consul/api-docs/catalog)."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from pyconsul.agent.model.wire import camel


class Weights(msgspec.Struct, frozen=True, rename=camel):
    """The SRV weights of an instance, by the state of its checks."""

    passing: int = 1
    warning: int = 1


class ServiceAddress(msgspec.Struct, frozen=True, rename=camel):
    """One of an instance's tagged addresses (`lan`, `wan`, `lan_ipv4`, …)."""

    address: str
    port: int


class Locality(msgspec.Struct, frozen=True, rename=camel):
    """Where an instance runs, in the words of a cloud provider."""

    go_name: ClassVar[str] = "structs.Locality"  # for the error texts of `httpapi.decode`
    region: str = ""
    zone: str = ""


class Nothing(msgspec.Struct, frozen=True):
    """An object without keys."""


NOTHING = Nothing()


class ProxyConfig(msgspec.Struct, frozen=True, rename=camel):
    """The settings of a mesh proxy, as Consul shows those of a service that is none."""

    mode: str = ""
    mesh_gateway: Nothing = NOTHING
    expose: Nothing = NOTHING


NO_PROXY = ProxyConfig()


class NodeService(msgspec.Struct, frozen=True, kw_only=True, rename=camel, omit_defaults=True):
    """A service instance on its node; `service` is the service's name.  An empty `address` means the node's."""

    id: str
    service: str
    tags: list[str]
    address: str
    meta: dict[str, str] | None
    weights: Weights
    enable_tag_override: bool
    create_index: int
    modify_index: int
    # Consul leaves these out when they say nothing.
    tagged_addresses: dict[str, ServiceAddress] | None = None
    port: int = 0
    socket_path: str = ""
    locality: Locality | None = None
    # Of the mesh and of peerings; they have factories, so that their empty values are shown.
    proxy: ProxyConfig = msgspec.field(default_factory=lambda: NO_PROXY)
    connect: Nothing = msgspec.field(default_factory=lambda: NOTHING)
    peer_name: str = msgspec.field(default_factory=str)


class ServiceInstance(msgspec.Struct, frozen=True):
    """One row of the catalog's services: an instance and the name of the node it runs on."""

    node: str
    service: NodeService
