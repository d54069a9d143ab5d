"""Checks of an operating system's service: passing while systemd calls the unit active."""

from __future__ import annotations

from pyconsul.agent.health.definition import CheckDefinition, seconds_allowed
from pyconsul.agent.health.runners.result import Result, Tail
from pyconsul.agent.health.runners.script import run_program
from pyconsul.agent.model.check import CRITICAL, PASSING

TIMEOUT = 10.0


async def run_os_service(definition: CheckDefinition) -> Result:
    """Ask systemctl."""
    unit = definition.os_service
    tail = Tail(256)
    # `--` keeps a unit's name from being taken for an option.
    code = await run_program(["systemctl", "is-active", "--", unit], tail, seconds_allowed(definition, TIMEOUT))
    if code == 0:
        return Result(PASSING, f'Service "{unit}" is healthy')
    if isinstance(code, str):
        return Result(CRITICAL, f'Service "{unit}" is unhealthy: {code}')
    state = "systemctl did not answer in time" if code is None else tail.text().strip() or "unknown"
    return Result(CRITICAL, f'Service "{unit}" is unhealthy: {state}')
