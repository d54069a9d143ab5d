"""Roles: reads, and the writes that keep their names unique."""

from __future__ import annotations

import re

from msgspec.structs import replace

from pyconsul.agent.model.acl import Role
from pyconsul.agent.state.acl.hash import role_hash
from pyconsul.agent.state.acl.tables import ROLES, TOPIC
from pyconsul.agent.state.draft import Draft, View
from pyconsul.agent.state.errors import Refused

INDEX = "acl-roles"
_NAME = re.compile(r"[A-Za-z0-9\-_]{1,256}")


def all_roles(view: View) -> list[Role]:
    """Every role, by ID."""
    return sorted(view[ROLES], key=ROLES.key)


def by_name(view: View, name: str) -> Role | None:
    found = view[ROLES].by("name", name.lower())
    return found[0] if found else None


def check(view: View, role: Role, new: bool) -> None:
    """Raises Refused for a role that cannot be made, or changed into; what it grants is not looked at."""
    if not role.name:
        raise Refused("Invalid Role: no Name is set")
    if not _NAME.fullmatch(role.name):
        raise Refused("Invalid Role: invalid Name. Only alphanumeric characters, '-' and '_' are allowed")
    same_name = by_name(view, role.name)
    if new:
        if same_name is not None:
            raise Refused(f'Invalid Role: A Role with Name "{role.name}" already exists')
        return
    if view[ROLES].get(role.id) is None:
        raise Refused(f"cannot find role {role.id}")
    if same_name is not None and same_name.id != role.id:
        raise Refused(f'Invalid Role: A role with name "{role.name}" already exists')


def put(draft: Draft, role: Role) -> Role:
    """Write a role that was checked."""
    old = draft[ROLES].get(role.id)
    created = old.create_index if old else draft.index
    row = role_hash(replace(role, create_index=created, modify_index=draft.index))
    draft.put(ROLES, row)
    _touch(draft)
    return row


def delete(draft: Draft, role_id: str) -> bool:
    """Delete a role; links to it vanish with it.  False when there is none."""
    if draft[ROLES].get(role_id) is None:
        return False
    draft.delete(ROLES, role_id)
    _touch(draft)
    return True


def _touch(draft: Draft) -> None:
    draft.touch(INDEX)
    draft.wake(TOPIC)
