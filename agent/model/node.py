"""A node: one machine of the catalog (https://developer.hashicorp.com/consul/api-docs/catalog#list-nodes)."""

from __future__ import annotations

import msgspec

from pyconsul.agent.model.wire import camel


class Node(msgspec.Struct, frozen=True, rename=camel):
    """One row of the catalog's nodes.  `address` is an IP address or a host name, never with a port."""

    id: str
    node: str
    address: str
    datacenter: str
    tagged_addresses: dict[str, str] | None
    meta: dict[str, str] | None
    create_index: int
    modify_index: int
