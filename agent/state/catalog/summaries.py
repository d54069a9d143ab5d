"""Summaries of the catalog for the UI: nodes with their services and checks, services with their checks counted by state."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from pyconsul.agent.model.check import CRITICAL, PASSING, WARNING, HealthCheck
from pyconsul.agent.model.node import Node
from pyconsul.agent.model.service import NodeService, ServiceInstance
from pyconsul.agent.model.wire import camel
from pyconsul.agent.state.catalog import checks, nodes, services
from pyconsul.agent.state.contract import View

SOURCE = "external-source"  # meta data: who registered a service, such as `nomad`


class NodeInfo(msgspec.Struct, frozen=True, kw_only=True, rename=camel):
    """A node, its instances and all their checks."""

    id: str
    node: str
    address: str
    datacenter: str
    tagged_addresses: dict[str, str] | None
    meta: dict[str, str] | None
    services: list[NodeService]
    checks: list[HealthCheck]


class ServiceSummary(msgspec.Struct, frozen=True, kw_only=True, rename=camel):
    """A service: where it runs, and how many of its checks are in each state; a node's check counts once."""

    name: str
    datacenter: str
    tags: list[str] | None
    nodes: list[str]
    external_sources: list[str] | None
    instance_count: int
    checks_passing: int
    checks_warning: int
    checks_critical: int
    transparent_proxy: bool = False
    connect_native: bool = False
    connected_with_proxy: bool = False
    connected_with_gateway: bool = False


class HealthSummary(msgspec.Struct, frozen=True, kw_only=True, rename=camel, omit_defaults=True):
    """The number of things with a name, by state."""

    total: int
    passing: int
    warning: int
    critical: int
    name: str = ""


class Overview(msgspec.Struct, frozen=True, rename=camel):
    """The states of all nodes together, of each service's instances, and of the checks by their names."""

    nodes: list[HealthSummary]
    services: list[HealthSummary]
    checks: list[HealthSummary]


def node_info(view: View, node: Node) -> NodeInfo:
    """Return a node with its instances and checks."""
    return NodeInfo(
        id=node.id,
        node=node.node,
        address=node.address,
        datacenter=node.datacenter,
        tagged_addresses=node.tagged_addresses,
        meta=node.meta,
        services=services.of_node(view, node.node),
        checks=checks.of_node(view, node.node),
    )


def service_summary(view: View, name: str, datacenter: str, instances: Iterable[ServiceInstance]) -> ServiceSummary:
    """Return the summary of a service from some of its instances."""
    found = services.with_checks(view, instances)
    seen = {(check.node, check.check_id): check.status for one in found for check in one.checks}
    states = list(seen.values())
    sources = {(one.service.meta or {}).get(SOURCE, "") for one in found} - {""}
    return ServiceSummary(
        name=name,
        datacenter=datacenter,
        tags=sorted({tag for one in found for tag in one.service.tags}) or None,
        nodes=sorted({one.node.node for one in found}),
        external_sources=sorted(sources) or None,
        instance_count=len(found),
        checks_passing=states.count(PASSING),
        checks_warning=states.count(WARNING),
        checks_critical=states.count(CRITICAL),
    )


def overview(view: View) -> Overview:
    """Return the states of all nodes, services and checks."""
    of_nodes = [_worst(check.status for check in checks.of_node(view, node.node)) for node in nodes.all_nodes(view)]
    by_service = {
        name: [
            _worst(check.status for check in one.checks)
            for one in services.with_checks(view, services.instances(view, name))
        ]
        for name in services.names_and_tags(view)
    }
    by_check: dict[str, list[str]] = {}
    for check in checks.in_state(view, "any"):
        by_check.setdefault(check.name, []).append(check.status)
    return Overview(
        [_count(of_nodes)],
        [_count(states, name) for name, states in by_service.items()],
        [_count(states, name) for name, states in sorted(by_check.items())],
    )


def _worst(states: Iterable[str]) -> str:
    found = set(states)
    return CRITICAL if CRITICAL in found else WARNING if WARNING in found else PASSING


def _count(states: list[str], name: str = "") -> HealthSummary:
    return HealthSummary(
        total=len(states),
        passing=states.count(PASSING),
        warning=states.count(WARNING),
        critical=states.count(CRITICAL),
        name=name,
    )
