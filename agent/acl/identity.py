"""A token with everything that it grants: what a server tells an agent that has to authorize requests itself."""

from __future__ import annotations

import msgspec

from pyconsul.agent.model.acl import Policy


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """A token and its policies, those of its roles and identities included.

    expires: Unix seconds at which the token ends; None: never.  has_roles: some of the policies come from roles.
    """

    accessor: str
    policies: list[Policy]
    expires: float | None = None
    has_roles: bool = False
