"""The frame around all pages: navigation with what needs attention, the datacenter, and who is logged in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyconsul.agent.acl.authorizer import Forbidden
from pyconsul.agent.model.acl import ANONYMOUS_SECRET
from pyconsul.agent.reads import health
from pyconsul.agent.ui.shown import NONE, state_of, worst
from pyconsul.agent.ui.visit import Visit

#: Entries of the navigation: name of the section, label, address below the datacenter.
SECTIONS = (
    ("overview", "Overview", "overview"),
    ("services", "Services", "services"),
    ("nodes", "Nodes", "nodes"),
    ("kv", "Key/value", "kv"),
    ("acls", "Access", "acls/tokens"),
    ("sessions", "Sessions", "sessions"),
    ("events", "Events", "events"),
    ("queries", "Queries", "queries"),
    ("members", "Members", "members"),
    ("servers", "Servers", "servers"),
    ("agent", "Agent", "agent"),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the navigation.  state, count: the worst state of what it leads to, and how many have it."""

    name: str
    label: str
    address: str
    state: str = ""
    count: int = 0


class Frame:
    """Makes the variables of the frame; what needs attention is counted once for each caller and change."""

    def __init__(self) -> None:
        self._attention: tuple[object, dict[str, tuple[str, int]]] = (None, {})

    def variables(self, visit: Visit, section: str) -> Mapping[str, Any]:
        """Return the variables of the frame around a page."""
        attention = self._count(visit)
        return {
            "entries": [
                Entry(name, label, visit.links.to(*path.split("/")), *attention.get(name, ("", 0)))
                for name, label, path in SECTIONS
            ],
            "section": section,
            "datacenter": visit.datacenter,
            "root": visit.links.root,
            "acl_enabled": visit.config.acl.enabled,
            "logged_in": _accessor(visit),
            "read_only": visit.config.ui_config.read_only,
            "agent_name": visit.agent,
        }

    def _count(self, visit: Visit) -> dict[str, tuple[str, int]]:
        try:
            caller = visit.caller
        except Forbidden:
            return {}
        depends = ("nodes", "services", "checks")
        visit.depend(depends)
        key = (visit.view.index_of(*depends), visit.view.restored, caller.rights, caller.everything)
        if self._attention[0] != key:
            self._attention = (key, _attention(visit))
        return self._attention[1]


def _attention(visit: Visit) -> dict[str, tuple[str, int]]:
    """Return the worst state and its number for services and nodes."""
    services: dict[str, list[str]] = {}
    nodes: dict[str, list[str]] = {}
    for check in health.failing_checks(visit.view, visit.caller).value:
        group, name = (services, check.service_name) if check.service_id else (nodes, check.node)
        group.setdefault(name, []).append(state_of(check))
    found: dict[str, tuple[str, int]] = {}
    for section, group in (("services", services), ("nodes", nodes)):
        states = [worst(states) for states in group.values()]
        if (state := worst(states)) != NONE:
            found[section] = (state, states.count(state))
    return found


def _accessor(visit: Visit) -> str:
    """Return the public ID of the browser's token, "" if it has none."""
    if visit.request.token in ("", ANONYMOUS_SECRET) or not visit.config.acl.enabled:
        return ""
    try:
        return visit.caller.accessor
    except Forbidden:
        return ""
