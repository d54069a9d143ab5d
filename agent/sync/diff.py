"""Anti-entropy: how the catalog's rows of this node differ from what the agent holds.  Pure.

The agent is right about its own node: what others wrote there is put right, but for the tags of a
service that says `EnableTagOverride`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from math import ceil, log2

from msgspec.structs import replace

from pyconsul.agent.model.check import HealthCheck
from pyconsul.agent.model.service import NodeService
from pyconsul.agent.state.contract import View
from pyconsul.agent.state.schemas import CHECKS, NODES, SERVICES
from pyconsul.agent.sync.local_state import LocalState
from pyconsul.agent.sync.node_registration import NodeRegistration

CALM_CLUSTER = 128  # nodes; from here on the time between two comparisons grows


@dataclass(slots=True)
class Difference:
    """What to write (IDs), what to remove, and the tags to take over from the catalog."""

    node: bool = False
    services: list[str] = field(default_factory=list)
    checks: list[str] = field(default_factory=list)
    gone_services: list[str] = field(default_factory=list)
    gone_checks: list[str] = field(default_factory=list)
    tags: dict[str, list[str]] = field(default_factory=dict)


def diff(local: LocalState, me: NodeRegistration, catalog: View) -> Difference:
    """What is to be done so that the catalog shows what the agent holds."""
    found = Difference(node=_member_differs(me, catalog))
    name = me.node.node.lower()
    services = {row.service.id: row.service for row in catalog[SERVICES].by("node", name)}
    checks = {check.check_id: check for check in catalog[CHECKS].by("node", name)}
    for service_id, held in local.services.items():
        _compare_service(held.service, services.get(service_id), found)
    for check_id, row in local.checks.items():
        there = checks.get(check_id)
        if there is None or not same_check(row.check, there, check_id in local.late):
            found.checks.append(check_id)
    own_service = {me.service.id} if me.service else set()
    found.gone_services = _strangers(services, local.services.keys() | own_service)
    found.gone_checks = [
        check_id
        for check_id in _strangers(checks, local.checks.keys() | {me.check.check_id})
        if checks[check_id].service_id not in found.gone_services
    ]
    return found


def adopt(local: LocalState, found: Difference) -> None:
    """Note a difference in the local state, so that it is written next."""
    for service_id, tags in found.tags.items():
        row = local.services[service_id]
        local.services[service_id] = replace(row, service=replace(row.service, tags=tags))
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


def same_service(one: NodeService, other: NodeService) -> bool:
    """Whether two rows say the same, whenever they were written."""
    return _undated_service(one) == _undated_service(other)


def same_check(one: HealthCheck, other: HealthCheck, ignore_output: bool = False) -> bool:
    """Whether two rows say the same; the catalog itself keeps the service's name and tags."""
    return _undated_check(one, ignore_output) == _undated_check(other, ignore_output)


def _undated_service(service: NodeService) -> NodeService:
    return replace(service, create_index=0, modify_index=0)


def _undated_check(check: HealthCheck, without_output: bool = False) -> HealthCheck:
    output = "" if without_output else check.output
    return replace(check, node="", output=output, service_name="", service_tags=None, create_index=0, modify_index=0)


def _member_differs(me: NodeRegistration, catalog: View) -> bool:
    name = me.node.node.lower()
    node = catalog[NODES].get(name)
    if node is None or replace(node, create_index=0, modify_index=0) != me.node:
        return True
    check = catalog[CHECKS].get((name, me.check.check_id))
    if check is None or not same_check(me.check, check):
        return True
    if me.service is None:
        return False
    row = catalog[SERVICES].get((name, me.service.id))
    return row is None or not same_service(me.service, row.service)


def _strangers(there: Collection[str], known: Collection[str]) -> list[str]:
    return [one for one in there if one not in known]


def scale(nodes: int) -> int:
    """By how much the time between two comparisons is longer in a cluster of so many nodes."""
    return 1 if nodes <= CALM_CLUSTER else ceil(log2(nodes) - log2(CALM_CLUSTER)) + 1
