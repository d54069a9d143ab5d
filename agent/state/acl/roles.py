"""Roles: reads, and the writes that keep their names unique."""

from __future__ import annotations

import re

from msgspec.structs import replace

from pyconsul.agent.model.acl import Role
from pyconsul.agent.state.acl.hash import role_hash
from pyconsul.agent.state.acl.tables import ROLES
from pyconsul.agent.state.contract import Refused, View
from pyconsul.agent.state.write_txn import WriteTxn

INDEX = "acl-roles"
_NAME = re.compile(r"[A-Za-z0-9\-_]{1,256}")


def all_roles(view: View) -> list[Role]:
    """Return every role, by ID."""
    return sorted(view[ROLES], key=ROLES.key)


def by_name(view: View, name: str) -> Role | None:
    found = view[ROLES].by("name", name.lower())
    return found[0] if found else None


def check(view: View, role: Role, new: bool) -> None:
    """Raise Refused for a role that cannot be created or changed so; its grants are not checked."""
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


def put(txn: WriteTxn, role: Role) -> Role:
    """Write a role that was checked."""
    old = txn[ROLES].get(role.id)
    created = old.create_index if old else txn.index
    row = role_hash(replace(role, create_index=created, modify_index=txn.index))
    txn.put(ROLES, row)
    txn.raise_index(INDEX)
    return row


def delete(txn: WriteTxn, role_id: str) -> bool:
    """Delete a role; links to it vanish with it.  False when there is none."""
    if txn[ROLES].get(role_id) is None:
        return False
    txn.delete(ROLES, role_id)
    txn.raise_index(INDEX)
    return True
