"""Rows of the agent's own services and checks, which survive a restart (see `state.table`)."""

from __future__ import annotations

from typing import Any

import msgspec

from pyconsul.agent.health.definition import CheckDefinition
from pyconsul.agent.model.check import HealthCheck
from pyconsul.agent.model.service import NodeService
from pyconsul.agent.state.contract import Schema


class ServiceRow(msgspec.Struct, frozen=True):
    """A service; `token` is what it is registered in the catalog with, `from_file` that a configuration file defines it."""

    service: NodeService
    token: str = ""
    from_file: bool = False


class CheckRow(msgspec.Struct, frozen=True):
    """A check as the catalog is to show it, and how it is run; without a definition nothing is run (maintenance)."""

    check: HealthCheck
    definition: CheckDefinition | None = None
    token: str = ""
    from_file: bool = False


class TTLReport(msgspec.Struct, frozen=True):
    """The last report on a TTL check; it counts after a restart until `expires` (Unix seconds)."""

    check_id: str
    status: str
    output: str
    expires: float


SERVICES = Schema("local_services", ServiceRow, lambda row: row.service.id)
CHECKS = Schema("local_checks", CheckRow, lambda row: row.check.check_id)
REPORTS = Schema("local_reports", TTLReport, lambda row: row.check_id)

ALL: tuple[Schema[Any], ...] = (SERVICES, CHECKS, REPORTS)
