"""A health check's state, as the catalog keeps it (https://developer.hashicorp.com/consul/api-docs/health)."""

from __future__ import annotations

from typing import Any

import msgspec

from pyconsul.agent.model.wire import camel

PASSING = "passing"
WARNING = "warning"
CRITICAL = "critical"
MAINTENANCE = "maintenance"
STATES = (PASSING, WARNING, CRITICAL)
SERF_CHECK = "serfHealth"  # the check with the state of a node's agent, as gossip reports it


class HealthCheck(msgspec.Struct, frozen=True, rename=camel):
    """One row of the catalog's checks.  A check without a `service_id` is the node's own and counts for all its services."""

    node: str
    check_id: str
    name: str
    status: str
    notes: str
    output: str
    service_id: str
    service_name: str
    service_tags: list[str] | None
    type: str
    interval: str
    timeout: str
    definition: dict[str, Any]
    create_index: int
    modify_index: int
    exposed_port: int = 0  # of the mesh


def serf_check(node: str, *, is_alive: bool) -> HealthCheck:
    """Return the check of a node whose agent is a member of the gossip pool."""
    return HealthCheck(
        node=node,
        check_id=SERF_CHECK,
        name="Serf Health Status",
        status=PASSING if is_alive else CRITICAL,
        notes="",
        output="Agent alive and reachable" if is_alive else "Agent not live or unreachable",
        service_id="",
        service_name="",
        service_tags=[],
        type="",
        interval="",
        timeout="",
        definition={},
        create_index=0,
        modify_index=0,
    )
