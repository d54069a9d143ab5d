"""Services as the agent has them: its answers about services and checks. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pyconsul.tools.registrator.desired.ownership import CONTAINER, DIGEST, ENGINE

_MAINTENANCE = "_service_maintenance:"


@dataclass(frozen=True, slots=True)
class CheckState:
    """Status and output of a check."""

    status: str
    output: str


@dataclass(frozen=True, slots=True)
class Registration:
    """A service of the agent. `maintenance`: the reason; None outside of maintenance."""

    id: str
    name: str
    tags: tuple[str, ...] = ()
    address: str = ""
    port: int = 0
    meta: Mapping[str, str] = field(default_factory=dict)
    checks: Mapping[str, CheckState] = field(default_factory=dict)
    maintenance: str | None = None

    @property
    def engine(self) -> str:
        """Return the engine whose registrator owns it; empty for a service of others."""
        return self.meta.get(ENGINE, "")

    @property
    def container(self) -> str:
        """Return the ID of the container it was registered for."""
        return self.meta.get(CONTAINER, "")

    @property
    def digest(self) -> str:
        """Return the digest of the registration."""
        return self.meta.get(DIGEST, "")


def read_registrations(services: Any, checks: Any) -> dict[str, Registration]:
    """Read the answers of `/v1/agent/services` and `/v1/agent/checks`."""
    states: dict[str, dict[str, CheckState]] = {}
    reasons: dict[str, str] = {}
    for check_id, check in (checks or {}).items():
        service_id = check.get("ServiceID") or ""
        if check_id.startswith(_MAINTENANCE):
            reasons[service_id] = check.get("Notes") or ""
        elif service_id:
            state = CheckState(check.get("Status") or "", check.get("Output") or "")
            states.setdefault(service_id, {})[check_id] = state
    return {
        service_id: Registration(
            service_id,
            one.get("Service") or "",
            tuple(one.get("Tags") or ()),
            one.get("Address") or "",
            int(one.get("Port") or 0),
            dict(one.get("Meta") or {}),
            states.get(service_id, {}),
            reasons.get(service_id),
        )
        for service_id, one in (services or {}).items()
    }
