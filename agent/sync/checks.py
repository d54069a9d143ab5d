"""The rows of checks: those of a service, those of the node, and maintenance."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from pyconsul.agent.common.go.durations import format_go_duration_ns
from pyconsul.agent.health.definition import CheckDefinition, check_type
from pyconsul.agent.model.check import CRITICAL, HealthCheck
from pyconsul.agent.model.service import NodeService

NODE_MAINTENANCE = "_node_maintenance"
SERVICE_MAINTENANCE = "_service_maintenance:"  # and the service's ID
MAINTENANCE_TYPE = "maintenance"


def service_checks(
    node: str, service: NodeService, definitions: Sequence[CheckDefinition]
) -> list[tuple[HealthCheck, CheckDefinition]]:
    """Return the checks that come with a service; those without an ID or a name get one of the service's."""
    found = []
    for number, definition in enumerate(definitions, 1):
        made_up = f"service:{service.id}" + (f":{number}" if len(definitions) > 1 else "")
        row = _row(
            node,
            definition.id or made_up,
            definition.name or f"Service '{service.service}' check",
            definition,
            service,
            interval=format_go_duration_ns(definition.interval) if definition.interval else "",
            timeout=format_go_duration_ns(definition.timeout) if definition.timeout else "",
        )
        found.append((row, replace(definition, service_id=service.id)))
    return found


def own_check(node: str, definition: CheckDefinition, service: NodeService | None, typed: bool = True) -> HealthCheck:
    """Return a check that is registered separately.  `typed`: with its type, which Consul leaves empty for checks of files."""
    return _row(
        node,
        definition.id or definition.name,
        definition.name,
        definition,
        service,
        interval=format_go_duration_ns(definition.interval),
        timeout=format_go_duration_ns(definition.timeout),
        typed=typed,
    )


def _row(
    node: str,
    check_id: str,
    name: str,
    definition: CheckDefinition,
    service: NodeService | None,
    *,
    interval: str,
    timeout: str,
    typed: bool = True,
) -> HealthCheck:
    return HealthCheck(
        node=node,
        check_id=check_id,
        name=name,
        status=definition.status or CRITICAL,
        notes=definition.notes,
        output="",
        service_id=service.id if service else "",
        service_name=service.service if service else "",
        service_tags=service.tags if service else [],
        type=check_type(definition) if typed else "",
        interval=interval,
        timeout=timeout,
        definition={},
        create_index=0,
        modify_index=0,
    )


def maintenance_check(node: str, service: NodeService | None, reason: str) -> HealthCheck:
    """Return the check that puts a service, or the whole node, into maintenance mode."""
    what = "service" if service else "node"
    default = f"Maintenance mode is enabled for this {what}, but no reason was provided. This is a default message."
    return HealthCheck(
        node=node,
        check_id=SERVICE_MAINTENANCE + service.id if service else NODE_MAINTENANCE,
        name=f"{what.capitalize()} Maintenance Mode",
        status=CRITICAL,
        notes=reason or default,
        output="",
        service_id=service.id if service else "",
        service_name=service.service if service else "",
        service_tags=service.tags if service else [],
        type=MAINTENANCE_TYPE,
        interval="",
        timeout="",
        definition={},
        create_index=0,
        modify_index=0,
    )
