"""Health checks in the catalog: reads, and the writes that add and remove them."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from pyconsul.agent.model.check import CRITICAL, HealthCheck
from pyconsul.agent.state import sessions, topics
from pyconsul.agent.state.draft import Draft, View
from pyconsul.agent.state.errors import Refused
from pyconsul.agent.state.schemas import CHECKS, NODES, SERVICES


def by_key(checks: Iterable[HealthCheck]) -> list[HealthCheck]:
    """Checks in the order of their nodes and IDs."""
    return sorted(checks, key=CHECKS.key)


def of_node(view: View, node: str) -> list[HealthCheck]:
    return by_key(view[CHECKS].by("node", node.lower()))


def of_service(view: View, name: str) -> list[HealthCheck]:
    return by_key(view[CHECKS].by("service", name.lower()))


def in_state(view: View, state: str) -> list[HealthCheck]:
    """The checks in a state; "any" is every check."""
    return by_key(view[CHECKS] if state == "any" else view[CHECKS].by("status", state))


def ensure_check(draft: Draft, check: HealthCheck) -> None:
    """Add or update a check; it takes its service's name and tags, and an identical one is left alone.

    Sessions that depend on it end when it is critical.  Raises Refused when its node or service is not registered.
    """
    node = draft[NODES].get(check.node.lower())
    if node is None:
        raise Refused("Missing node registration")
    name, tags = "", []
    if check.service_id:
        instance = draft[SERVICES].get((node.node.lower(), check.service_id))
        if instance is None:
            raise Refused(f"Unknown service ID '{check.service_id}' for check ID '{check.check_id}'")
        name, tags = instance.service.service, instance.service.tags
    old = draft[CHECKS].get((node.node.lower(), check.check_id))
    created, modified = (old.create_index, old.modify_index) if old else (draft.index, draft.index)
    check = replace(
        check,
        node=node.node,
        status=check.status or CRITICAL,
        service_name=name,
        service_tags=tags,
        create_index=created,
        modify_index=modified,
    )
    if check != old:
        draft.put(CHECKS, replace(check, modify_index=draft.index))
        _touch(draft, check)
        if old is not None:
            _wake(draft, old)
            if old.service_id != check.service_id:
                _touch(draft, old)
    if check.status == CRITICAL:
        sessions.invalidate_check(draft, node.node, check.check_id)


def delete_check(draft: Draft, node: str, check_id: str) -> None:
    """Remove a check, and the sessions that depend on it; nothing happens when it is not there."""
    old = draft[CHECKS].get((node.lower(), check_id))
    if old is None:
        return
    draft.delete(CHECKS, (node.lower(), check_id))
    _touch(draft, old)
    sessions.invalidate_check(draft, node, check_id)


def _touch(draft: Draft, check: HealthCheck) -> None:
    draft.touch("checks")
    _wake(draft, check)
    if check.service_id:
        draft.touch(topics.of_service(check.service_name))
    else:
        topics.touch_services_on(draft, check.node)


def _wake(draft: Draft, check: HealthCheck) -> None:
    """Wake the readers of a check's node, service and state."""
    draft.wake(topics.checks_of("node", check.node))
    draft.wake(topics.checks_of("state", check.status))
    if check.service_name:
        draft.wake(topics.checks_of("service", check.service_name))
