"""Responses for tokens, policies, roles, auth methods and binding rules.

Links show current names, and leave out deleted rows.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from pyconsul.agent.acl.templates import Template
from pyconsul.agent.common.go.durations import SECOND_NS, format_go_duration_ns
from pyconsul.agent.model.acl import AuthMethod, BindingRule, Grants, Policy, Role, TemplatedPolicy, Token
from pyconsul.agent.state.acl.tables import POLICIES, ROLES
from pyconsul.agent.state.contract import Schema, View

HIDDEN = "<hidden>"  # instead of a secret, for callers without `acl:write`


def moment(seconds: float) -> str:
    """Return a time as Go's JSON has it: RFC 3339, UTC, without trailing zeros."""
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").removesuffix("+00:00")
    return text.rstrip("0").rstrip(".") + "Z"


def exact_moment(nanoseconds: int, seconds: float) -> str:
    """Return the same of Unix nanoseconds, or of seconds where those are 0."""
    if not nanoseconds:
        return moment(seconds)
    whole, rest = divmod(nanoseconds, SECOND_NS)
    return (
        datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{rest:09}".rstrip("0").rstrip(".") + "Z"
    )


def _indexes(row: Token | Policy | Role | AuthMethod | BindingRule) -> dict[str, int]:
    return {"CreateIndex": row.create_index, "ModifyIndex": row.modify_index}


def _hash(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _links(view: View, schema: Schema[Any], ids: Iterable[str]) -> list[dict[str, str]]:
    rows = (view[schema].get(one) for one in ids)
    return [{"ID": row.id, "Name": row.name} for row in rows if row is not None]


def template_link(one: TemplatedPolicy) -> dict[str, Any]:
    shown: dict[str, Any] = {"TemplateID": one.template_id, "TemplateName": one.template_name}
    if one.name is not None:
        shown["TemplateVariables"] = {"name": one.name}
    if one.datacenters:
        shown["Datacenters"] = one.datacenters
    return shown


def grants(view: View, given: Grants) -> dict[str, Any]:
    """Return grants without empty fields."""
    parts = {
        "Policies": _links(view, POLICIES, given.policies),
        "Roles": _links(view, ROLES, given.roles),
        "ServiceIdentities": given.service_identities,
        "NodeIdentities": given.node_identities,
        "TemplatedPolicies": [template_link(one) for one in given.templated_policies],
    }
    return {name: part for name, part in parts.items() if part}


def token(view: View, row: Token, hide: bool = False) -> dict[str, Any]:
    """Return a token; `hide`: without its secret."""
    shown: dict[str, Any] = {
        "AccessorID": row.accessor_id,
        "SecretID": HIDDEN if hide else row.secret_id,
        "Description": row.description,
        **grants(view, row.grants),
        "Local": row.local,
    }
    if row.auth_method:
        shown["AuthMethod"] = row.auth_method
    if row.expires is not None:
        shown["ExpirationTime"] = exact_moment(row.expires_ns, row.expires)
    return {**shown, "CreateTime": exact_moment(row.created_ns, row.created), "Hash": _hash(row.hash), **_indexes(row)}


def policy(row: Policy) -> dict[str, Any]:
    shown: dict[str, Any] = {"ID": row.id, "Name": row.name, "Description": row.description, "Rules": row.rules}
    if row.datacenters:
        shown["Datacenters"] = row.datacenters
    return {**shown, "Hash": _hash(row.hash), **_indexes(row)}


def policy_stub(row: Policy) -> dict[str, Any]:
    """Return a policy without its rules, as lists show it."""
    return {
        "ID": row.id,
        "Name": row.name,
        "Description": row.description,
        "Datacenters": row.datacenters or None,
        "Hash": _hash(row.hash),
        **_indexes(row),
    }


def role(view: View, row: Role) -> dict[str, Any]:
    return {
        "ID": row.id,
        "Name": row.name,
        "Description": row.description,
        **grants(view, row.grants),
        "Hash": _hash(row.hash),
        **_indexes(row),
    }


def template(one: Template) -> dict[str, Any]:
    return {
        "TemplateName": one.name,
        "Schema": one.schema,
        "Template": one.text,
        "Description": one.description,
    }


def auth_method(row: AuthMethod, stub: bool = False) -> dict[str, Any]:
    """Return an auth method; `stub`: without its configuration, as lists show it."""
    shown: dict[str, Any] = {"Name": row.name, "Type": row.type}
    optional = {
        "DisplayName": row.display_name,
        "Description": row.description,
        "MaxTokenTTL": format_go_duration_ns(row.max_token_ttl) if row.max_token_ttl else "",
        "TokenLocality": row.token_locality,
        "TokenNameFormat": row.token_name_format,
    }
    shown |= {name: value for name, value in optional.items() if value}
    if not stub:
        shown["Config"] = row.config
    return {**shown, **_indexes(row)}


def binding_rule(row: BindingRule) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "ID": row.id,
        "Description": row.description,
        "AuthMethod": row.auth_method,
        "Selector": row.selector,
        "BindType": row.bind_type,
        "BindName": row.bind_name,
    }
    if row.bind_vars:
        shown["BindVars"] = row.bind_vars
    return {**shown, **_indexes(row)}
