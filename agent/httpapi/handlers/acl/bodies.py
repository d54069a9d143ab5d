"""The bodies of the ACL endpoints, as they are sent."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar

import msgspec

from pyconsul.agent.httpapi.codec import go_values
from pyconsul.agent.httpapi.codec.decoding import Convert, GoType
from pyconsul.agent.httpapi.codec.go_values import ABSENT
from pyconsul.agent.model.wire import camel

Index = Annotated[int, GoType("uint64")]


def nanoseconds(value: Any) -> Any:
    """Return a duration given as a text or as a number of nanoseconds; an empty text is none."""
    if value is None or value == "":
        return ABSENT
    if (duration := go_values.nanoseconds(value)) is ABSENT:
        raise ValueError('a duration must be a text such as "1h", or a number of nanoseconds')
    return duration


def unix_time(value: Any) -> Any:
    """Return the Unix seconds of an RFC 3339 time."""
    if value is None:
        return ABSENT
    try:
        moment = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError(f'parsing time "{value}" as "2006-01-02T15:04:05Z07:00": cannot parse "{value}"')
    return None if moment.year == 1 else moment.timestamp()


class Link(msgspec.Struct, rename=camel):
    """A policy or role, by its ID or its name."""

    go_name: ClassVar[str] = "structs.ACLTokenPolicyLink"
    id: str = ""
    name: str = ""


class ServiceIdentityBody(msgspec.Struct, rename=camel):
    """A service identity."""

    go_name: ClassVar[str] = "structs.ACLServiceIdentity"
    service_name: str = ""
    datacenters: list[str] = []


class NodeIdentityBody(msgspec.Struct, rename=camel):
    """A node identity."""

    go_name: ClassVar[str] = "structs.ACLNodeIdentity"
    node_name: str = ""
    datacenter: str = ""


class TemplateVariables(msgspec.Struct, rename=camel):
    """The variables of a template."""

    go_name: ClassVar[str] = "structs.ACLTemplatedPolicyVariables"
    name: str = ""


class TemplatedPolicyBody(msgspec.Struct, rename=camel):
    """A template with its variables."""

    go_name: ClassVar[str] = "structs.ACLTemplatedPolicy"
    template_id: str = ""
    template_name: str = ""
    template_variables: TemplateVariables | None = None
    datacenters: list[str] = []


class GrantsBody(msgspec.Struct, rename=camel, kw_only=True):
    """What tokens and roles have in common."""

    policies: list[Link] = []
    roles: list[Link] = []
    service_identities: list[ServiceIdentityBody] = []
    node_identities: list[NodeIdentityBody] = []
    templated_policies: list[TemplatedPolicyBody] = []


class TokenBody(GrantsBody, rename=camel, kw_only=True):
    """A token to create or change.  `expiration_ttl` is in nanoseconds, `expiration_time` in Unix seconds."""

    go_name: ClassVar[str] = "struct { ExpirationTTL interface {}; Hash string; *structs.Alias }"
    go_embedded: ClassVar[str] = "Alias"
    accessor_id: str = ""
    secret_id: str = ""
    description: str = ""
    local: bool = False
    auth_method: str = ""
    expiration_time: Annotated[float | None, Convert(unix_time)] = None
    expiration_ttl: Annotated[int, Convert(nanoseconds)] = 0
    create_time: Any = None
    hash: Any = None
    create_index: Index = 0
    modify_index: Index = 0


class PolicyBody(msgspec.Struct, rename=camel, kw_only=True):
    """A policy to create or change."""

    go_name: ClassVar[str] = "struct { Hash string; *structs.Alias }"
    go_embedded: ClassVar[str] = "Alias"
    id: str = ""
    name: str = ""
    description: str = ""
    rules: str = ""
    datacenters: list[str] = []
    hash: Any = None
    create_index: Index = 0
    modify_index: Index = 0


class RoleBody(GrantsBody, rename=camel, kw_only=True):
    """A role to create or change."""

    go_name: ClassVar[str] = "struct { Hash string; *structs.Alias }"
    go_embedded: ClassVar[str] = "Alias"
    id: str = ""
    name: str = ""
    description: str = ""
    hash: Any = None
    create_index: Index = 0
    modify_index: Index = 0


class AuthMethodBody(msgspec.Struct, rename=camel, kw_only=True):
    """An auth method to create or change.  `max_token_ttl` is in nanoseconds."""

    go_name: ClassVar[str] = "struct { MaxTokenTTL interface {}; *structs.Alias }"
    go_embedded: ClassVar[str] = "Alias"
    name: str = ""
    type: str = ""
    display_name: str = ""
    description: str = ""
    max_token_ttl: Annotated[int, Convert(nanoseconds)] = 0
    token_locality: str = ""
    token_name_format: str = ""
    config: dict[str, Any] = {}
    create_index: Index = 0
    modify_index: Index = 0


class BindingRuleBody(msgspec.Struct, rename=camel, kw_only=True):
    """A binding rule to create or change."""

    go_name: ClassVar[str] = "structs.ACLBindingRule"
    id: str = ""
    description: str = ""
    auth_method: str = ""
    selector: str = ""
    bind_type: str = ""
    bind_name: str = ""
    bind_vars: TemplateVariables | None = None
    create_index: Index = 0
    modify_index: Index = 0


class LoginBody(msgspec.Struct, rename=camel, kw_only=True):
    """The body of a login."""

    go_name: ClassVar[str] = "structs.ACLLoginParams"
    auth_method: str = ""
    bearer_token: str = ""
    meta: dict[str, str] | None = None


class BootstrapBody(msgspec.Struct, rename=camel):
    """The secret of the first token; empty: a random one."""

    go_name: ClassVar[str] = "structs.ACLInitialTokenBootstrapRequest"
    bootstrap_secret: str = ""
