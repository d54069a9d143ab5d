"""Synthetic policies: those that identities and templates stand for."""

from __future__ import annotations

from pyconsul.agent.acl.templates import BY_ID, NODE, SERVICE, TEMPLATES, Template
from pyconsul.agent.model.acl import Grants, Policy
from pyconsul.agent.state.acl.hash import policy_hash

_FNV_BASIS = "6c62272e07bb014262b821756295c58d"  # Consul's IDs end in it: the start value of a hash that is fed nothing


def synthetic_policy(template: Template, name: str | None, datacenters: tuple[str, ...] = ()) -> Policy:
    """Return the policy that a template makes."""
    rules = template.rules(name)
    identity = rules.encode().hex() + _FNV_BASIS
    policy = Policy(
        id=identity,
        name=f"synthetic-policy-{identity}",
        description=f"synthetic policy generated from templated policy: {template.name}",
        rules=rules,
        datacenters=datacenters,
    )
    return policy_hash(policy)


def of_grants(grants: Grants) -> list[Policy]:
    """Return the policies that a token's or role's identities and templates stand for."""
    found = [
        synthetic_policy(TEMPLATES[SERVICE], one.service_name, one.datacenters) for one in grants.service_identities
    ]
    found += [synthetic_policy(TEMPLATES[NODE], one.node_name, (one.datacenter,)) for one in grants.node_identities]
    found += [
        synthetic_policy(BY_ID[one.template_id], one.name, one.datacenters)
        for one in grants.templated_policies
        if one.template_id in BY_ID
    ]
    return found
