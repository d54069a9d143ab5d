"""Catalog rows of the agent itself: its node, the `consul` service of a server, and the `serfHealth` check."""

from __future__ import annotations

import ipaddress

import msgspec

from pyconsul.agent.config.config import Config
from pyconsul.agent.model.check import HealthCheck, serf_check
from pyconsul.agent.model.node import Node
from pyconsul.agent.model.service import NodeService, Weights

CONSUL = "consul"  # the name and ID of the servers' own service
CONSUL_VERSION = "1.21.4"  # the Consul whose API this is; clients ask for it
SEGMENT_KEY, VERSION_KEY = "consul-network-segment", "consul-version"  # metadata that every agent gives its node


class NodeRegistration(msgspec.Struct, frozen=True):
    """The rows of one living agent.

    service, check: None where the leader registers them, as it does for every member of its pool (see `duties.reconcile`).
    """

    node: Node
    service: NodeService | None
    check: HealthCheck | None


def node_registration(config: Config) -> NodeRegistration:
    """Return the rows of the agent with these settings; of a client agent only its node."""
    node = Node(
        id=config.node_id,
        node=config.node_name,
        address=config.advertise_addr,
        datacenter=config.datacenter,
        tagged_addresses=tagged_addresses(config),
        meta=node_meta(config),
        create_index=0,
        modify_index=0,
    )
    if not config.server:
        return NodeRegistration(node, None, None)
    return NodeRegistration(node, _server(config), serf_check(config.node_name, is_alive=True))


def node_meta(config: Config) -> dict[str, str]:
    """Return the node's metadata: configured values, and those that Consul adds."""
    return {SEGMENT_KEY: "", VERSION_KEY: CONSUL_VERSION, **config.node_meta}


def tagged_addresses(config: Config) -> dict[str, str]:
    """Return the node's addresses by network: `lan`, `wan`, and both with the kind of the address."""
    found = {}
    for name, address in (("lan", config.advertise_addr), ("wan", config.advertise_addr_wan)):
        found[name] = address
        if (kind := ip_kind(address)) is not None:
            found[f"{name}_{kind}"] = address
    return found


def ip_kind(address: str) -> str | None:
    """`ipv4`, `ipv6`, or None for a host's name."""
    if not address:
        return None
    try:
        return f"ipv{ipaddress.ip_address(address).version}"
    except ValueError:
        return None


def _server(config: Config) -> NodeService:
    return NodeService(
        id=CONSUL,
        service=CONSUL,
        tags=[],
        address="",
        meta={
            "non_voter": "false",
            "raft_version": "3",
            "read_replica": "false",
            "serf_protocol_current": "2",
            "serf_protocol_max": "5",
            "serf_protocol_min": "1",
            "version": CONSUL_VERSION,
        },
        weights=Weights(),
        enable_tag_override=False,
        create_index=0,
        modify_index=0,
        port=config.ports.server,
    )
