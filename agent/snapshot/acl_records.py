"""Rows of access control as records, and back."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from pyconsul.agent.common.go.durations import SECOND_NS
from pyconsul.agent.model.acl import (
    AuthMethod,
    BindingRule,
    Grants,
    NodeIdentity,
    Policy,
    Role,
    ServiceIdentity,
    TemplatedPolicy,
    Token,
)
from pyconsul.agent.snapshot.fields import Fields, plain
from pyconsul.agent.snapshot.gomsgpack import ZERO_TIME_NS, encode_time

#: The name of a policy or role by its ID; None when it is gone.
NameOf = Callable[[str], str | None]


def read_token(record: Fields) -> Token:
    created = record.time("CreateTime")
    created = 0 if created is None or created == ZERO_TIME_NS else created
    expires = record.time("ExpirationTime")
    expires = None if expires == ZERO_TIME_NS else expires
    return Token(
        accessor_id=record.text("AccessorID"),
        secret_id=record.text("SecretID"),
        description=record.text("Description"),
        grants=_grants(record),
        local=record.flag("Local"),
        auth_method=record.text("AuthMethod"),
        created=created / SECOND_NS,
        created_ns=created,
        expires=None if expires is None else expires / SECOND_NS,
        expires_ns=expires or 0,
        hash=record.data("Hash"),
        create_index=record.index("CreateIndex"),
        modify_index=record.index("ModifyIndex"),
    )


def _grants(record: Fields) -> Grants:
    return Grants(
        policies=tuple(link.text("ID") for link in record.parts("Policies")),
        roles=tuple(link.text("ID") for link in record.parts("Roles")),
        service_identities=tuple(
            ServiceIdentity(one.text("ServiceName"), tuple(one.texts("Datacenters") or ()))
            for one in record.parts("ServiceIdentities")
        ),
        node_identities=tuple(
            NodeIdentity(one.text("NodeName"), one.text("Datacenter")) for one in record.parts("NodeIdentities")
        ),
        templated_policies=tuple(_templated_policy(one) for one in record.parts("TemplatedPolicies")),
    )


def _templated_policy(part: Fields) -> TemplatedPolicy:
    variables = part.part("TemplateVariables")
    return TemplatedPolicy(
        template_id=part.text("TemplateID"),
        template_name=part.text("TemplateName"),
        name=None if variables is None else variables.text("Name") or variables.text("name"),
        datacenters=tuple(part.texts("Datacenters") or ()),
    )


def read_policy(record: Fields) -> Policy:
    return Policy(
        id=record.text("ID"),
        name=record.text("Name"),
        description=record.text("Description"),
        rules=record.text("Rules"),
        datacenters=tuple(record.texts("Datacenters") or ()),
        hash=record.data("Hash"),
        create_index=record.index("CreateIndex"),
        modify_index=record.index("ModifyIndex"),
    )


def read_role(record: Fields) -> Role:
    return Role(
        id=record.text("ID"),
        name=record.text("Name"),
        description=record.text("Description"),
        grants=_grants(record),
        hash=record.data("Hash"),
        create_index=record.index("CreateIndex"),
        modify_index=record.index("ModifyIndex"),
    )


def read_auth_method(record: Fields) -> AuthMethod:
    return AuthMethod(
        name=record.text("Name"),
        type=record.text("Type"),
        display_name=record.text("DisplayName"),
        description=record.text("Description"),
        max_token_ttl=record.integer("MaxTokenTTL", 0),
        token_locality=record.text("TokenLocality"),
        token_name_format=record.text("TokenNameFormat"),
        config=plain(record.mapping("Config") or {}, "Config"),
        create_index=record.index("CreateIndex"),
        modify_index=record.index("ModifyIndex"),
    )


def read_binding_rule(record: Fields) -> BindingRule:
    variables = record.part("BindVars")
    return BindingRule(
        id=record.text("ID"),
        auth_method=record.text("AuthMethod"),
        bind_type=record.text("BindType"),
        bind_name=record.text("BindName"),
        description=record.text("Description"),
        selector=record.text("Selector"),
        bind_vars=None if variables is None else {"Name": variables.text("Name")},
        create_index=record.index("CreateIndex"),
        modify_index=record.index("ModifyIndex"),
    )


def _links(ids: tuple[str, ...], name_of: NameOf) -> list[dict[str, str]] | None:
    """Return links with the current names; links to deleted rows are left out, as in the API's responses."""
    return [{"ID": one, "Name": name} for one in ids if (name := name_of(one)) is not None] or None


def _identities(grants: Grants, policy_name: NameOf) -> dict[str, Any]:
    nodes = [{"Datacenter": one.datacenter, "NodeName": one.node_name} for one in grants.node_identities]
    services = [
        {"Datacenters": list(one.datacenters) or None, "ServiceName": one.service_name}
        for one in grants.service_identities
    ]
    return {
        "NodeIdentities": nodes or None,
        "Policies": _links(grants.policies, policy_name),
        "ServiceIdentities": services or None,
        "TemplatedPolicies": [_templated_record(one) for one in grants.templated_policies] or None,
    }


def _templated_record(one: TemplatedPolicy) -> dict[str, Any]:
    return {
        "Datacenters": list(one.datacenters) or None,
        "TemplateID": one.template_id,
        "TemplateName": one.template_name,
        "TemplateVariables": None if one.name is None else {"Name": one.name},
    }


def _nanoseconds(seconds: float) -> int:
    """Whole microseconds, rounded as `datetime` does it: as the API shows a time in seconds."""
    fraction, whole = math.modf(seconds)
    return int(whole) * SECOND_NS + round(fraction * 1_000_000) * 1000


def token(row: Token, policy_name: NameOf, role_name: NameOf) -> dict[str, Any]:
    created = row.created_ns or (_nanoseconds(row.created) if row.created else ZERO_TIME_NS)
    expires = row.expires_ns or (None if row.expires is None else _nanoseconds(row.expires))
    found = {
        "AccessorID": row.accessor_id,
        "AuthMethod": row.auth_method,
        "CreateIndex": row.create_index,
        "CreateTime": encode_time(created),
        "Description": row.description,
        "ExpirationTTL": 0,
        "ExpirationTime": None if expires is None else encode_time(expires),
        "Hash": row.hash,
        "Local": row.local,
        "ModifyIndex": row.modify_index,
        "Roles": _links(row.grants.roles, role_name),
        "SecretID": row.secret_id,
        **_identities(row.grants, policy_name),
    }
    return dict(sorted(found.items()))


def policy(row: Policy) -> dict[str, Any]:
    return {
        "CreateIndex": row.create_index,
        "Datacenters": list(row.datacenters) or None,
        "Description": row.description,
        "Hash": row.hash,
        "ID": row.id,
        "ModifyIndex": row.modify_index,
        "Name": row.name,
        "Rules": row.rules,
    }


def role(row: Role, policy_name: NameOf) -> dict[str, Any]:
    found = {
        "CreateIndex": row.create_index,
        "Description": row.description,
        "Hash": row.hash,
        "ID": row.id,
        "ModifyIndex": row.modify_index,
        "Name": row.name,
        **_identities(row.grants, policy_name),
    }
    return dict(sorted(found.items()))


def auth_method(row: AuthMethod) -> dict[str, Any]:
    found = {
        "Config": row.config,
        "CreateIndex": row.create_index,
        "Description": row.description,
        "DisplayName": row.display_name,
        "MaxTokenTTL": row.max_token_ttl,
        "ModifyIndex": row.modify_index,
        "Name": row.name,
        "TokenLocality": row.token_locality,
        "Type": row.type,
    }
    if row.token_name_format:
        found["TokenNameFormat"] = row.token_name_format
    return found


def binding_rule(row: BindingRule) -> dict[str, Any]:
    return {
        "AuthMethod": row.auth_method,
        "BindName": row.bind_name,
        "BindType": row.bind_type,
        "BindVars": None if row.bind_vars is None else {"Name": row.bind_vars.get("Name", "")},
        "CreateIndex": row.create_index,
        "Description": row.description,
        "ID": row.id,
        "ModifyIndex": row.modify_index,
        "Selector": row.selector,
    }
