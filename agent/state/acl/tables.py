"""The tables of access control.  Names compare without case."""

from __future__ import annotations

from typing import Any

from pyconsul.agent.model.acl import AuthMethod, BindingRule, Bootstrapped, Policy, Role, Token
from pyconsul.agent.state.contract import Schema
from pyconsul.agent.state.topics import ACL

TOPIC = ACL


def _topics(row: Any) -> tuple[str]:
    """Return the one topic of all changes of permissions."""
    return (TOPIC,)


TOKENS = Schema(
    "acl_tokens",
    Token,
    lambda row: row.accessor_id,
    {
        "secret": lambda row: (row.secret_id,),
        "policy": lambda row: row.grants.policies,
        "role": lambda row: row.grants.roles,
        "method": lambda row: (row.auth_method,) if row.auth_method else (),
        "ends": lambda row: () if row.expires is None else (True,),
    },
    topics=_topics,
)
POLICIES = Schema("acl_policies", Policy, lambda row: row.id, {"name": lambda row: (row.name.lower(),)}, topics=_topics)
ROLES = Schema(
    "acl_roles",
    Role,
    lambda row: row.id,
    {"name": lambda row: (row.name.lower(),), "policy": lambda row: row.grants.policies},
    topics=_topics,
)
AUTH_METHODS = Schema("acl_auth_methods", AuthMethod, lambda row: row.name.lower(), topics=_topics)
BINDING_RULES = Schema(
    "acl_binding_rules",
    BindingRule,
    lambda row: row.id,
    {"method": lambda row: (row.auth_method.lower(),)},
    topics=_topics,
)
BOOTSTRAPPED = Schema("acl_bootstrapped", Bootstrapped, lambda row: row.id)

ACL_TABLES: tuple[Schema[Any], ...] = (TOKENS, POLICIES, ROLES, AUTH_METHODS, BINDING_RULES, BOOTSTRAPPED)
