"""Access control: tokens, policies, roles, and what logs people in (https://developer.hashicorp.com/consul/api-docs/acl).

These are rows as they are kept; how the API shows them is `httpapi.acl_show`.  Links to policies and roles are IDs: their
names are looked up when they are shown, so that a renamed policy is renamed everywhere and a deleted one is gone.
"""

from __future__ import annotations

from typing import Any

import msgspec

from pyconsul.agent.model.wire import camel

ANONYMOUS_ID = "00000000-0000-0000-0000-000000000002"
ANONYMOUS_SECRET = "anonymous"  # nosec: the name of the token everybody has
MANAGEMENT_ID = "00000000-0000-0000-0000-000000000001"
READ_ONLY_ID = "00000000-0000-0000-0000-000000000002"
RESERVED_PREFIX = "00000000-0000-0000-0000-0000000000"


class ServiceIdentity(msgspec.Struct, frozen=True, rename=camel, omit_defaults=True):
    """The rights a service needs; in all datacenters unless some are named."""

    service_name: str
    datacenters: tuple[str, ...] = ()


class NodeIdentity(msgspec.Struct, frozen=True, rename=camel):
    """The rights an agent needs in its datacenter."""

    node_name: str
    datacenter: str


class TemplatedPolicy(msgspec.Struct, frozen=True):
    """A built-in template with its variable `name` (None: not given)."""

    template_id: str
    template_name: str
    name: str | None = None
    datacenters: tuple[str, ...] = ()


class Grants(msgspec.Struct, frozen=True, kw_only=True):
    """The grants of a token or a role: IDs of policies and of roles (roles have none), identities, templates."""

    policies: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    service_identities: tuple[ServiceIdentity, ...] = ()
    node_identities: tuple[NodeIdentity, ...] = ()
    templated_policies: tuple[TemplatedPolicy, ...] = ()


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token.  `created` and `expires` are Unix seconds; `hash` covers what users set.

    `created_ns` and `expires_ns` are the same times to the nanosecond, where they are known as exactly (0: not).
    """

    accessor_id: str
    secret_id: str
    description: str = ""
    grants: Grants = Grants()
    local: bool = False
    auth_method: str = ""
    created: float = 0.0
    expires: float | None = None
    hash: bytes = b""
    create_index: int = 0
    modify_index: int = 0
    created_ns: int = 0
    expires_ns: int = 0

    def __repr__(self) -> str:
        """Show no secret: tracebacks and logs may contain this."""
        return f"Token(accessor_id={self.accessor_id!r})"


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """A policy: its rules as they were written, and the datacenters it holds in (none: all)."""

    id: str
    name: str
    description: str = ""
    rules: str = ""
    datacenters: tuple[str, ...] = ()
    hash: bytes = b""
    create_index: int = 0
    modify_index: int = 0


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """A role: grants under a name."""

    id: str
    name: str
    description: str = ""
    grants: Grants = Grants()
    hash: bytes = b""
    create_index: int = 0
    modify_index: int = 0


class AuthMethod(msgspec.Struct, frozen=True, kw_only=True):
    """Where people who log in are known from.  `max_token_ttl` is in nanoseconds, 0: none."""

    name: str
    type: str
    display_name: str = ""
    description: str = ""
    max_token_ttl: int = 0
    token_locality: str = ""
    token_name_format: str = ""
    config: dict[str, Any] = {}
    create_index: int = 0
    modify_index: int = 0


class BindingRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that grants something to selected logins of an auth method; `bind_name` may hold `${value.x}`."""

    id: str
    auth_method: str
    bind_type: str
    bind_name: str
    description: str = ""
    selector: str = ""
    bind_vars: dict[str, str] | None = None
    create_index: int = 0
    modify_index: int = 0


class Bootstrapped(msgspec.Struct, frozen=True):
    """The one row that says that there was a first token, and at which index."""

    id: str
    index: int
