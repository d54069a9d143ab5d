"""Fills the local state: with what configuration files define, and with what was kept from the last run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import msgspec

from pyconsul.agent.acl.authorizer import EVERYTHING
from pyconsul.agent.config.config import Config
from pyconsul.agent.health.definition import CheckDefinition, CheckError
from pyconsul.agent.health.validate import validate as validate_check
from pyconsul.agent.model.check import CRITICAL
from pyconsul.agent.sync.definition import (
    DefinitionError,
    ServiceDefinition,
    check_from_config,
    service_from_config,
    validate,
)
from pyconsul.agent.sync.local_agent import NOTHING_SEEN, LastSeen, LocalAgent
from pyconsul.agent.sync.local_rows import CHECKS, REPORTS, SERVICES, CheckRow, ServiceRow, TTLReport
from pyconsul.agent.sync.local_store import Change

log = logging.getLogger("agent.sync")


class FileDefinitionError(Exception):
    """A service or check of a file cannot be; the text names the file (`source`), `reason` is Consul's."""

    def __init__(self, kind: str, name: str, source: str, error: Exception) -> None:
        super().__init__(f"{source}: {kind} {name!r}: {error}")
        self.source = source
        self.reason = f'Failed to register {kind} "{name}": {error}'


class Definitions(msgspec.Struct, frozen=True):
    """Services and checks that files define."""

    services: list[ServiceDefinition]
    checks: list[CheckDefinition]


def definitions(config: Config) -> Definitions:
    """Return the validated services and checks of the settings.  Raises FileDefinitionError."""
    scripts = config.enable_script_checks or config.enable_local_script_checks
    allow = config.allow_control_characters
    services, checks = [], []
    for one in config.services:
        try:
            service = service_from_config(one.body, one.source)
            validate(service, scripts, from_file=True, allow_control_characters=allow)
        except (DefinitionError, CheckError) as error:
            raise FileDefinitionError("service", one.body.get("name", ""), one.source, error) from None
        services.append(service)
    for one in config.checks:
        try:
            check = check_from_config(one.body, one.source)
            validate_check(check, scripts, from_file=True, allow_control_characters=allow)
        except CheckError as error:
            raise FileDefinitionError("check", one.body.get("name", ""), one.source, error) from None
        checks.append(check)
    return Definitions(services, checks)


async def load(
    agent: LocalAgent,
    defined: Definitions,
    kept: Iterable[tuple[str, Any]],
    now: float,
    *,
    remote_scripts: bool,
    last_seen: LastSeen = NOTHING_SEEN,
) -> None:
    """Fill an empty local state: definitions of files, then stored rows that no file defines, then stored reports.

    Stored checks came over the API, so they are validated as such: without `remote_scripts` none of them runs a program.
    last_seen: the checks that the catalog shows of this node.
    """
    rows: dict[str, list[Any]] = {schema.name: [] for schema in (SERVICES, CHECKS, REPORTS)}
    for table, row in kept:
        rows[table].append(row)
    await define(agent, defined, last_seen)
    _hold_services(agent, rows[SERVICES.name])
    obsolete = _hold_checks(agent, rows[CHECKS.name], remote_scripts, last_seen)
    obsolete += _hold_reports(agent, rows[REPORTS.name], now)
    try:
        await agent.store.write(obsolete)
    except Exception as error:  # a full disk; they are found again at the next start
        log.warning("cannot remove obsolete registrations: %s", error)


async def define(agent: LocalAgent, defined: Definitions, last_seen: LastSeen = NOTHING_SEEN) -> None:
    """Register the definitions of files; they replace rows with the same IDs."""
    for service in defined.services:
        await agent.register_service(EVERYTHING, service, replace_checks=True, from_file=True, last_seen=last_seen)
    for check in defined.checks:
        if check.service_id and check.service_id not in agent.local.services:
            log.error("check %r in a file belongs to service %r, which is not registered", check.name, check.service_id)
            continue
        await agent.register_check(EVERYTHING, check, from_file=True, last_seen=last_seen)


async def reload(agent: LocalAgent, defined: Definitions) -> None:
    """Hold the present definitions of files, and drop their earlier ones.

    What came over the API stays when it is kept; in `-dev` mode it goes, as Consul has it. What the agent itself provides stays.
    """
    services = {one.service.id for one in defined.services} | agent.own_services
    checks = {one.id or one.name for one in defined.checks}
    for service_id, service in list(agent.local.services.items()):
        if service_id not in services and (service.from_file or not agent.store.durable):
            await agent.deregister_service(EVERYTHING, service_id)
    for check_id, check in list(agent.local.checks.items()):
        leaves = check.from_file or not agent.store.durable
        if leaves and check.check.service_id not in services and check_id not in checks:
            await agent.deregister_check(EVERYTHING, check_id)
    await define(agent, defined)


def _hold_services(agent: LocalAgent, rows: Iterable[ServiceRow]) -> None:
    for row in rows:
        if row.service.id not in agent.local.services:
            _try(partial(agent.hold_service, row), f"service {row.service.id}")


def _hold_checks(
    agent: LocalAgent, rows: Iterable[CheckRow], remote_scripts: bool, last_seen: LastSeen
) -> list[Change]:
    """Add stored checks; they start with the status that the catalog shows, else critical.  Returns obsolete rows."""
    obsolete: list[Change] = []
    for row in rows:
        check = row.check
        fault = _fault(row, remote_scripts)
        if fault:
            log.warning("removed a stored check: check=%s error=%s", check.check_id, fault)
        if fault or (check.service_id and check.service_id not in agent.local.services):
            obsolete.append((CHECKS, check.check_id, None))
        elif check.check_id not in agent.local.checks:
            begun = msgspec.structs.replace(row, check=msgspec.structs.replace(check, status=CRITICAL, output=""))
            _try(partial(agent.hold_check, begun, last_seen), f"check {check.check_id}")
    return obsolete


def _try(hold: Callable[[], None], what: str) -> None:
    """Whatever was kept, it does not keep the agent from starting."""
    try:
        hold()
    except Exception as error:
        log.error("cannot restore the stored %s: %s", what, error, exc_info=error)


def _fault(row: CheckRow, remote_scripts: bool) -> str:
    """Return the API's refusal of a kept check; empty if it is still valid."""
    try:
        if row.definition is not None:
            validate_check(row.definition, remote_scripts, of_service=True)
    except CheckError as error:
        return error.text
    return ""


def _hold_reports(agent: LocalAgent, rows: Iterable[TTLReport], now: float) -> list[Change]:
    obsolete: list[Change] = []
    for report in rows:
        if report.expires > now and report.check_id in agent.local.checks and agent.is_ttl(report.check_id):
            _try(partial(agent.restore_report, report), f"report on {report.check_id}")
        else:
            obsolete.append((REPORTS, report.check_id, None))
    return obsolete
