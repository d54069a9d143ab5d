"""Anti-entropy: the difference between the catalog's rows of this node and the agent's own services and checks.  Pure.

The agent is authoritative for its node: rows that others wrote there are overwritten, except for the tags of a service with
`EnableTagOverride`, the service `consul` and the check `serfHealth`, which the leader registers for the members of its pool.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from math import ceil, log2

from msgspec.structs import replace

from pyconsul.agent.model.check import SERF_CHECK, HealthCheck
from pyconsul.agent.model.node import Node
from pyconsul.agent.model.service import NodeService
from pyconsul.agent.sync.anti_entropy.contract import NodeRows
from pyconsul.agent.sync.local_state import LocalState
from pyconsul.agent.sync.node_registration import CONSUL, NodeRegistration

SMALL_CLUSTER = 128  # nodes; in a larger one the interval between two full syncs grows


@dataclass(slots=True)
class Difference:
    """IDs of rows to write and to remove, and tags by service ID to take over from the catalog."""

    node: bool = False
    services: list[str] = field(default_factory=list)
    checks: list[str] = field(default_factory=list)
    gone_services: list[str] = field(default_factory=list)
    gone_checks: list[str] = field(default_factory=list)
    tags: dict[str, list[str]] = field(default_factory=dict)


def diff(local: LocalState, registration: NodeRegistration, shown: NodeRows) -> Difference:
    """Return the changes that make the catalog, whose rows of this node are `shown`, agree with the local state."""
    found = Difference(node=_node_differs(registration, shown))
    for service_id, held in local.services.items():
        _compare_service(held.service, shown.services.get(service_id), found)
    for check_id, row in local.checks.items():
        check = shown.checks.get(check_id)
        if check is None or not same_check(row.check, check, check_id in local.late):
            found.checks.append(check_id)
    found.gone_services = _unknown(shown.services, local.services.keys() | {CONSUL})
    found.gone_checks = [
        check_id
        for check_id in _unknown(shown.checks, local.checks.keys() | {SERF_CHECK})
        if shown.checks[check_id].service_id not in found.gone_services
    ]
    return found


def mark(local: LocalState, found: Difference) -> None:
    """Mark a difference in the local state as pending."""
    for service_id, tags in found.tags.items():
        local.take_over_tags(service_id, tags)
    if found.node:
        local.mark_node()
    for service_id in found.services:
        local.mark_service(service_id)
    for check_id in found.checks:
        local.mark_check(check_id)
    local.mark_gone(found.gone_services, found.gone_checks)


def _compare_service(held: NodeService, there: NodeService | None, found: Difference) -> None:
    if there is not None and held.enable_tag_override and held.tags != there.tags:
        held = replace(held, tags=there.tags)
        found.tags[held.id] = there.tags
    if there is None or not same_service(held, there):
        found.services.append(held.id)


def same_node(one: Node, other: Node) -> bool:
    """Compare two rows without their indexes."""
    return _undated_node(one) == _undated_node(other)


def _undated_node(node: Node) -> Node:
    return replace(node, create_index=0, modify_index=0)


def same_service(one: NodeService, other: NodeService) -> bool:
    """Compare two rows without their indexes."""
    return _undated_service(one) == _undated_service(other)


def same_check(one: HealthCheck, other: HealthCheck, ignore_output: bool = False) -> bool:
    """Compare two rows without their indexes and without name and tags of the service, which the catalog fills in."""
    return _undated_check(one, ignore_output) == _undated_check(other, ignore_output)


def _undated_service(service: NodeService) -> NodeService:
    return replace(service, create_index=0, modify_index=0)


def _undated_check(check: HealthCheck, without_output: bool = False) -> HealthCheck:
    output = "" if without_output else check.output
    return replace(check, node="", output=output, service_name="", service_tags=None, create_index=0, modify_index=0)


def _node_differs(registration: NodeRegistration, shown: NodeRows) -> bool:
    node = shown.node
    if node is None or not same_node(node, registration.node):
        return True
    if registration.check is not None:
        check = shown.checks.get(registration.check.check_id)
        if check is None or not same_check(registration.check, check):
            return True
    if registration.service is None:
        return False
    service = shown.services.get(registration.service.id)
    return service is None or not same_service(registration.service, service)


def _unknown(shown: Collection[str], known: Collection[str]) -> list[str]:
    return [one for one in shown if one not in known]


def interval_factor(nodes: int) -> int:
    """Return the factor by which the interval between full syncs grows in a cluster of so many nodes."""
    return 1 if nodes <= SMALL_CLUSTER else ceil(log2(nodes) - log2(SMALL_CLUSTER)) + 1
