"""The users of a grant, which would lose access: the tokens, roles and services behind a policy, role, auth method or token."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pyconsul.agent.model.acl import BindingRule, Role, Token
from pyconsul.agent.state.acl import auth as acl_auth
from pyconsul.agent.state.acl import tokens as acl_tokens
from pyconsul.agent.state.acl.tables import ROLES, TOKENS
from pyconsul.agent.state.contract import View
from pyconsul.agent.ui.shown import plural

SHOWN = 5  # names of a sentence


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens and roles that refer to something, tokens that have it through a role, and binding rules that name it."""

    tokens: tuple[Token, ...] = ()
    roles: tuple[Role, ...] = ()
    through_roles: tuple[Token, ...] = ()
    rules: tuple[BindingRule, ...] = ()

    def sentences(self) -> tuple[str, ...]:
        """Return who loses access, a sentence for each kind."""
        found = []
        if self.tokens:
            lose = "loses" if len(self.tokens) == 1 else "lose"
            found.append(f"{plural(len(self.tokens), 'token')} {lose} what it grants: {names_of(self.tokens)}.")
        if self.roles:
            lose = "loses" if len(self.roles) == 1 else "lose"
            found.append(
                f"{plural(len(self.roles), 'role')} {lose} it: {listed(role.name for role in self.roles)}; "
                f"through roles it is granted to {plural(len(self.through_roles), 'token')}."
            )
        if self.rules:
            grants = "grants" if len(self.rules) == 1 else "grant"
            found.append(f"{plural(len(self.rules), 'binding rule')} of logins {grants} nothing then.")
        return tuple(found) or ("No token and no role uses it.",)


def of_policy(view: View, policy_id: str, name: str, now: float) -> Usage:
    """Return what uses a policy.  now: Unix seconds."""
    roles = tuple(sorted(view[ROLES].by("policy", policy_id), key=lambda role: role.name))
    return Usage(
        _alive(view[TOKENS].by("policy", policy_id), now),
        roles,
        _alive([token for role in roles for token in view[TOKENS].by("role", role.id)], now),
        _binding(view, "policy", name),
    )


def of_role(view: View, role_id: str, name: str, now: float) -> Usage:
    """Return what uses a role."""
    return Usage(_alive(view[TOKENS].by("role", role_id), now), rules=_binding(view, "role", name))


def of_method(view: View, name: str, now: float) -> tuple[tuple[Token, ...], list[BindingRule]]:
    """Return the tokens that an auth method has made, and its binding rules: both are deleted with it."""
    return _alive(view[TOKENS].by("method", name), now), acl_auth.all_rules(view, name)


def names_of(tokens: Iterable[Token]) -> str:
    """Return tokens by their descriptions, or the beginnings of their IDs."""
    return listed(token.description or token.accessor_id[:8] for token in tokens)


def listed(names: Iterable[str]) -> str:
    """Return names with commas, at most a few."""
    found = list(names)
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return ", ".join(found[:SHOWN]) + more


def _alive(tokens: Iterable[Token], now: float) -> tuple[Token, ...]:
    found = {token.accessor_id: token for token in tokens if acl_tokens.lives(token, now)}
    return tuple(sorted(found.values(), key=lambda token: (token.description, token.accessor_id)))


def _binding(view: View, kind: str, name: str) -> tuple[BindingRule, ...]:
    return tuple(
        rule for rule in acl_auth.all_rules(view) if rule.bind_type == kind and rule.bind_name.lower() == name.lower()
    )
