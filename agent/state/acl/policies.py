"""Policies: reads, and the writes that keep names unique and built-in policies as they are."""

from __future__ import annotations

import re

from msgspec.structs import replace

from pyconsul.agent.model.acl import MANAGEMENT_ID, READ_ONLY_ID, Policy
from pyconsul.agent.state.acl.hash import policy_hash
from pyconsul.agent.state.acl.tables import POLICIES
from pyconsul.agent.state.contract import Refused, View
from pyconsul.agent.state.write_txn import WriteTxn

INDEX = "acl-policies"
BUILTIN = {MANAGEMENT_ID: "global-management", READ_ONLY_ID: "builtin/global-read-only"}
_NAME = re.compile(r"[A-Za-z0-9\-_]+/?[A-Za-z0-9\-_]*")
LONGEST_NAME = 128


def all_policies(view: View) -> list[Policy]:
    """Return every policy, by name."""
    return sorted(view[POLICIES], key=lambda policy: policy.name)


def by_name(view: View, name: str) -> Policy | None:
    found = view[POLICIES].by("name", name.lower())
    return found[0] if found else None


def check(view: View, policy: Policy, new: bool) -> None:
    """Raise Refused for a policy that cannot be created or changed so; its rules are not checked."""
    if not policy.name:
        raise Refused("Invalid Policy: no Name is set")
    if not _NAME.fullmatch(policy.name) or len(policy.name) > LONGEST_NAME:
        raise Refused(
            "Invalid Policy: invalid Name. Only alphanumeric characters, a single '/', '-' and '_' are allowed"
        )
    old = view[POLICIES].get(policy.id)
    same_name = by_name(view, policy.name)
    if new:
        if same_name is not None:
            raise Refused(f'Invalid Policy: A Policy with Name "{policy.name}" already exists')
        return
    if old is None:
        raise Refused(f"cannot find policy {policy.id}")
    if same_name is not None and same_name.id != policy.id:
        raise Refused(f'Invalid Policy: A policy with name "{policy.name}" already exists')
    if (builtin := BUILTIN.get(policy.id)) is not None:
        if policy.datacenters:
            raise Refused(f"Changing the Datacenters of the builtin {builtin} policy is not permitted")
        if policy.rules != old.rules:
            raise Refused(f"Changing the Rules for the builtin {builtin} policy is not permitted")


def put(txn: WriteTxn, policy: Policy) -> Policy:
    """Write a policy that was checked."""
    old = txn[POLICIES].get(policy.id)
    created = old.create_index if old else txn.index
    row = policy_hash(replace(policy, create_index=created, modify_index=txn.index))
    txn.put(POLICIES, row)
    txn.raise_index(INDEX)
    return row


def delete(txn: WriteTxn, policy_id: str) -> bool:
    """Delete a policy; links to it vanish with it.  False when there is none.  Raises Refused for a built-in one."""
    if policy_id in BUILTIN:
        raise Refused(f"Delete operation not permitted on the builtin {BUILTIN[policy_id]} policy")
    if txn[POLICIES].get(policy_id) is None:
        return False
    txn.delete(POLICIES, policy_id)
    txn.raise_index(INDEX)
    return True
