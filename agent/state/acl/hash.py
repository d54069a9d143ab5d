"""The hashes of tokens, policies and roles: BLAKE2b over what users set, by which replicas know what has changed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from msgspec.structs import replace

from pyconsul.agent.model.acl import Grants, Policy, Role, Token


def _digest(parts: Iterator[str]) -> bytes:
    return hashlib.blake2b("".join(parts).encode(), digest_size=32).digest()


def _granted(grants: Grants) -> Iterator[str]:
    yield from grants.policies
    yield from grants.roles
    for service in grants.service_identities:
        yield service.service_name
        yield from service.datacenters
    for node in grants.node_identities:
        yield node.node_name
        yield node.datacenter
    for template in grants.templated_policies:
        yield template.template_id
        yield template.name or ""
        yield from template.datacenters


def token_hash(token: Token) -> Token:
    """Return the token with its hash."""

    def parts() -> Iterator[str]:
        yield token.description
        yield "local" if token.local else "global"
        yield from _granted(token.grants)

    return replace(token, hash=_digest(parts()))


def policy_hash(policy: Policy) -> Policy:
    """Return the policy with its hash."""
    return replace(policy, hash=_digest(iter((policy.name, policy.description, policy.rules, *policy.datacenters))))


def role_hash(role: Role) -> Role:
    """Return the role with its hash."""

    def parts() -> Iterator[str]:
        yield role.name
        yield role.description
        yield from _granted(role.grants)

    return replace(role, hash=_digest(parts()))
