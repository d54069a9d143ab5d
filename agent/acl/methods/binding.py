"""Grants of a login: binding rules that match its claims, and the names that they produce."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pyconsul.agent.acl.methods.jwtmethod import Claims
from pyconsul.agent.acl.templates import IDENTITY_NAME, TEMPLATES, name_error
from pyconsul.agent.model.acl import BindingRule, Grants, NodeIdentity, ServiceIdentity, TemplatedPolicy
from pyconsul.agent.state.acl import policies as acl_policies
from pyconsul.agent.state.acl import roles as acl_roles
from pyconsul.agent.state.contract import View

BIND_TYPES = ("service", "node", "role", "policy", "templated-policy")
_VARIABLE = re.compile(r"\$\{\s*([^}]*?)\s*\}")


class UnknownVariable(ValueError):
    """A name refers to an unknown variable."""


def interpolate(text: str, values: dict[str, str]) -> str:
    """`${value.name}` replaced by what it stands for; in lower case.  Raises UnknownVariable."""

    def replacement(match: re.Match[str]) -> str:
        name = match[1].removeprefix("value.")
        if name == match[1] or name not in values:
            raise UnknownVariable(f"unknown variable {match[1]!r}; known: {', '.join(sorted(values)) or 'none'}")
        return values[name]

    return _VARIABLE.sub(replacement, text).lower()


def bind(view: View, rules: Iterable[BindingRule], claims: Claims, datacenter: str) -> Grants:
    """Return the grants of rules that match the claims; missing objects and invalid names grant nothing."""
    services: list[ServiceIdentity] = []
    nodes: list[NodeIdentity] = []
    roles: list[str] = []
    policies: list[str] = []
    templates: list[TemplatedPolicy] = []
    for rule in rules:
        name = interpolate(rule.bind_name, claims.value)
        if rule.bind_type == "role" and (role := acl_roles.by_name(view, name)) is not None:
            roles.append(role.id)
        elif rule.bind_type == "policy" and (policy := acl_policies.by_name(view, name)) is not None:
            policies.append(policy.id)
        elif rule.bind_type == "templated-policy" and (template := TEMPLATES.get(name)) is not None:
            variable = interpolate((rule.bind_vars or {}).get("Name", ""), claims.value)
            if name_error(template, variable) is not None:
                continue
            templates.append(TemplatedPolicy(template.id, name, variable if template.takes_name else None))
        elif not IDENTITY_NAME.fullmatch(name):
            continue
        elif rule.bind_type == "service":
            services.append(ServiceIdentity(name))
        elif rule.bind_type == "node":
            nodes.append(NodeIdentity(name, datacenter))
    return Grants(
        policies=tuple(dict.fromkeys(policies)),
        roles=tuple(dict.fromkeys(roles)),
        service_identities=tuple(dict.fromkeys(services)),
        node_identities=tuple(dict.fromkeys(nodes)),
        templated_policies=tuple(dict.fromkeys(templates)),
    )
