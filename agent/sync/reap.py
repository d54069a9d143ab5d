"""Deregistration of services with a check that has been critical for too long (`DeregisterCriticalServiceAfter`)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from pyconsul.agent.acl.authorizer import EVERYTHING
from pyconsul.agent.common.go.durations import SECOND_NS
from pyconsul.agent.sync.local_agent import LocalAgent
from pyconsul.agent.sync.local_state import LocalState

INTERVAL_S = 30.0
MIN_CRITICAL_S = 60.0  # nothing is deregistered sooner, whatever its check demands

log = logging.getLogger("agent.sync")


def overdue(local: LocalState, now: float) -> dict[str, str]:
    """Return the services to deregister, each with the check that demands it."""
    found: dict[str, str] = {}
    for check_id, since in local.critical_since.items():
        row = local.checks.get(check_id)
        if row is None or row.definition is None or not row.check.service_id:
            continue
        after = row.definition.deregister_critical_service_after / SECOND_NS
        if after > 0 and now - since >= max(after, MIN_CRITICAL_S):
            found.setdefault(row.check.service_id, check_id)
    return found


async def reap(agent: LocalAgent, clock: Callable[[], float]) -> None:
    """Deregister overdue services periodically."""
    while True:
        await asyncio.sleep(INTERVAL_S)
        for service_id, check_id in overdue(agent.local, clock()).items():
            log.info("deregistering a service with a critical check: service=%s check=%s", service_id, check_id)
            try:
                await agent.deregister_service(EVERYTHING, service_id)
            except Exception as error:
                log.warning("cannot deregister a service with a critical check: service=%s error=%s", service_id, error)
