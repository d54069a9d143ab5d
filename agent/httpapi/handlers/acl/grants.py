"""Checks the grants of a token or a role, and resolves their links.

Texts: Consul's; `what` in them is "token" or "role".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pyconsul.agent.acl.templates import BY_ID, IDENTITY_NAME, TEMPLATES, Template, name_error, variables_error
from pyconsul.agent.httpapi.handlers.acl.bodies import (
    GrantsBody,
    Link,
    NodeIdentityBody,
    ServiceIdentityBody,
    TemplatedPolicyBody,
)
from pyconsul.agent.model.acl import Grants, NodeIdentity, ServiceIdentity, TemplatedPolicy
from pyconsul.agent.state.acl.tables import POLICIES, ROLES
from pyconsul.agent.state.contract import Refused, Schema, View

ALLOWED = "Only lowercase alphanumeric characters, '-' and '_' are allowed"
LONGEST_NAME = 256


def grants(view: View, body: GrantsBody, what: str, local: bool = False) -> Grants:
    """Return the grants that a body asks for, each once.  Raises Refused."""
    return Grants(
        policies=_linked(view, POLICIES, "policy", body.policies),
        roles=_linked(view, ROLES, "role", body.roles),
        service_identities=_services(body.service_identities, what, local),
        node_identities=_nodes(body.node_identities, what),
        templated_policies=tuple(dict.fromkeys(_template(one, what) for one in body.templated_policies)),
    )


def _linked(view: View, schema: Schema[Any], kind: str, links: Iterable[Link]) -> tuple[str, ...]:
    """Return the IDs of linked policies or roles."""
    found: dict[str, None] = {}
    for link in links:
        if link.id:
            row = view[schema].get(link.id)
            missing = f'ID "{link.id}"'
        else:
            row = next(iter(view[schema].by("name", link.name.lower())), None)
            missing = f'name "{link.name}"'
        if row is None:
            raise Refused(f"No such ACL {kind} with {missing}")
        found[row.id] = None
    return tuple(found)


def _services(given: Iterable[ServiceIdentityBody], what: str, local: bool) -> tuple[ServiceIdentity, ...]:
    found: dict[str, dict[str, None]] = {}
    for one in given:
        if not one.service_name:
            raise Refused(f"Service identity is missing the service name field on this {what}")
        if local and one.datacenters:
            raise Refused(
                f'Service identity "{one.service_name}" cannot specify a list of datacenters on a local token'
            )
        if not _is_name(one.service_name):
            raise Refused(f'Service identity "{one.service_name}" has an invalid name. {ALLOWED}')
        found.setdefault(one.service_name, {}).update(dict.fromkeys(one.datacenters))
    return tuple(ServiceIdentity(name, tuple(datacenters)) for name, datacenters in found.items())


def _nodes(given: Iterable[NodeIdentityBody], what: str) -> tuple[NodeIdentity, ...]:
    for one in given:
        if not one.node_name:
            raise Refused(f"Node identity is missing the node name field on this {what}")
        if not one.datacenter:
            raise Refused(f"Node identity is missing the datacenter field on this {what}")
        if not _is_name(one.node_name):
            raise Refused(f"Node identity has an invalid name. {ALLOWED}")
    return tuple(dict.fromkeys(NodeIdentity(one.node_name, one.datacenter) for one in given))


def _is_name(text: str) -> bool:
    return len(text) <= LONGEST_NAME and IDENTITY_NAME.fullmatch(text) is not None


def _template(one: TemplatedPolicyBody, what: str) -> TemplatedPolicy:
    template = _find_template(one, what)
    name = one.template_variables.name if one.template_variables is not None else None
    given = TemplatedPolicy(template.id, template.name, name, tuple(dict.fromkeys(one.datacenters)))
    error = variables_error(template, given) or name_error(template, name)
    if error is not None:
        raise Refused(f'validation error for templated policy "{template.name}": {error}')
    return given


def _find_template(one: TemplatedPolicyBody, what: str) -> Template:
    if one.template_name:
        found = TEMPLATES.get(one.template_name)
        missing = f'Name "{one.template_name}"'
    elif one.template_id:
        found, missing = BY_ID.get(one.template_id), f'ID "{one.template_id}"'
    else:
        raise Refused(f"templated policy is missing the template name or template ID on this {what}")
    if found is None:
        raise Refused(f"no such ACL templated policy with {missing}")
    return found
