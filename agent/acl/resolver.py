"""From the secret of a token to what its bearer may do.

What was worked out is kept until anything about tokens, policies or roles changes.  Tokens with the same policies share
the same compiled rights, and a policy's rules are parsed once.
"""

from __future__ import annotations

import hmac
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple, TypeAlias

import msgspec
from msgspec.structs import replace

from pyconsul.agent.acl.authorizer import Authorizer, CompiledPolicies, DecisionBudget, UnknownToken
from pyconsul.agent.acl.identity import Identity
from pyconsul.agent.acl.parse import RuleError, parse_rules
from pyconsul.agent.acl.rules import READ, WRITE, Rule
from pyconsul.agent.acl.synthetic_policies import of_grants
from pyconsul.agent.model.acl import ANONYMOUS_ID, ANONYMOUS_SECRET, Grants, Policy, Token
from pyconsul.agent.state.acl.tables import POLICIES, ROLES, TOKENS, TOPIC
from pyconsul.agent.state.acl.tokens import bootstrapped_at, lives
from pyconsul.agent.state.contract import View
from pyconsul.agent.state.watches import Watches

MAX_AUTHORIZERS = 10_000  # authorizers that are kept; they are small
MAX_COMPILED = 1_000  # sets of policies that are kept
LONG_RULES = 64 << 10  # characters of rules that take longer to read than others should wait
NOT_BOOTSTRAPPED = (
    "ACL system must be bootstrapped before making any requests that require authorization: ACL not found"
)
RECOVERY = "agent-recovery"  # what stands for the accessor of the agent's recovery token

log = logging.getLogger("agent.acl")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of access control."""

    datacenter: str
    node_name: str
    default_allow: bool
    down_policy: str = "extend-cache"
    key_list_policy: bool = False


PolicyKey: TypeAlias = tuple[tuple[str, int], ...]  # ID and ModifyIndex of each policy


class Unread(NamedTuple):
    """Policies whose rules are still to be read."""

    key: PolicyKey
    policies: list[Policy]

    def compile(self) -> CompiledPolicies:
        """Compile the policies; uses no shared state, so it may run in a thread."""
        return CompiledPolicies(_rules_of(self.policies))


class Resolver:
    """The authorizers of one agent.  `own(name)` is the secret of one of the agent's own tokens ("default", "dns", …)."""

    def __init__(
        self,
        view: View,
        watches: Watches,
        settings: Settings,
        own: Callable[[str], str],
        clock: Callable[[], float],
    ) -> None:
        self.settings, self.own, self.clock = settings, own, clock
        self._view, self._watches = view, watches
        self._known: OrderedDict[str, tuple[Authorizer, float]] = OrderedDict()
        self._memory = DecisionBudget()
        self._rights: OrderedDict[PolicyKey, CompiledPolicies] = OrderedDict()
        self._forget()

    def of(self, secret: str) -> Authorizer:
        """Return the authorizer of a secret; for an empty one, of the agent's default token or the anonymous token.

        Raises UnknownToken.
        """
        secret = secret or self.own("default") or ANONYMOUS_SECRET
        known = self._known.get(secret)
        if known is not None and known[1] > self.clock():
            return known[0]
        return self._resolve(secret)

    def expires(self, secret: str) -> float | None:
        """Return when the permissions of a resolved secret end (Unix seconds); None for never."""
        known = self._known.get(secret or self.own("default") or ANONYMOUS_SECRET)
        return None if known is None or known[1] == float("inf") else known[1]

    def unread(self, secret: str) -> Unread | Awaitable[None] | None:
        """Return what is to be done before `of` knows a secret; None: nothing.

        The policies of a token, if it takes long to read their rules: for `Unread.compile`, in a thread, and `adopt`.
        Where a server has to be asked for the token: what ends as soon as it has answered, or cannot be reached.
        """
        secret = secret or self.own("default") or ANONYMOUS_SECRET
        if secret in self._known or (token := self.token(secret)) is None:
            return None
        policies = self.policies(token.grants)
        key = _key(policies)
        if key in self._rights or sum(len(policy.rules) for policy in policies) < LONG_RULES:
            return None
        return Unread(key, policies)

    def adopt(self, unread: Unread, rights: CompiledPolicies) -> None:
        """Keep the compiled policies of a token."""
        rights.join(self._memory)
        self._keep_rights(unread.key, rights)

    def token(self, secret: str) -> Token | None:
        """Return the token with a secret, unless it has expired."""
        secret = secret or self.own("default") or ANONYMOUS_SECRET
        for token in self._view[TOKENS].by("secret", secret):
            # The index is a dictionary of seeded hashes: its timing reveals nothing about a similar secret.
            if hmac.compare_digest(token.secret_id.encode(), secret.encode()) and lives(token, self.clock()):
                return token
        return None

    def identity(self, secret: str) -> Identity:
        """Return the token with a secret and what it grants.  Raises UnknownToken."""
        token = self.token(secret)
        if token is None and secret == ANONYMOUS_SECRET:
            return Identity(accessor=ANONYMOUS_ID, policies=[])
        if token is None:
            raise self._unknown()
        grants = token.grants
        policies = self.policies(grants)
        return Identity(
            accessor=token.accessor_id, policies=policies, expires=token.expires, has_roles=bool(grants.roles)
        )

    def _unknown(self) -> UnknownToken:
        return UnknownToken() if bootstrapped_at(self._view) else UnknownToken(NOT_BOOTSTRAPPED)

    def of_token(self, token: Token) -> Authorizer:
        """Return the authorizer of a token."""
        return Authorizer(token.accessor_id, self._rights_of(self.policies(token.grants)), self.settings.default_allow)

    def policies(self, grants: Grants) -> list[Policy]:
        """Return the policies that hold here: of the grants and their roles, and those that identities stand for."""
        found: dict[str, Policy] = {}
        for one in (grants, *(role.grants for role_id in grants.roles if (role := self._view[ROLES].get(role_id)))):
            written = (self._view[POLICIES].get(policy_id) for policy_id in one.policies)
            for policy in (*filter(None, written), *of_grants(one)):
                if self._holds(policy):
                    found.setdefault(policy.id, policy)
        return list(found.values())

    def _holds(self, policy: Policy) -> bool:
        here = self.settings.datacenter.lower()
        return not policy.datacenters or here in (name.lower() for name in policy.datacenters)

    def _resolve(self, secret: str) -> Authorizer:
        self._known.pop(secret, None)
        token = self.token(secret)
        if token is not None:
            authorizer, until = self.of_token(token), float("inf") if token.expires is None else token.expires
        elif self._is_recovery(secret):
            authorizer, until = self._recovery(), float("inf")
        elif secret == ANONYMOUS_SECRET:  # a restored snapshot may not have it
            authorizer, until = (
                Authorizer(ANONYMOUS_ID, CompiledPolicies(()), self.settings.default_allow),
                float("inf"),
            )
        else:
            raise self._unknown()
        self._known[secret] = authorizer, until
        if len(self._known) > MAX_AUTHORIZERS:
            self._known.popitem(last=False)
        return authorizer

    def _is_recovery(self, secret: str) -> bool:
        recovery = self.own("agent_recovery")
        return bool(recovery) and hmac.compare_digest(recovery.encode(), secret.encode())

    def _recovery(self) -> Authorizer:
        """Return the agent's recovery token: good for this agent, and to read the nodes."""
        rules = (
            Rule("agent", self.settings.node_name, False, WRITE, policy=RECOVERY),
            Rule("node", "", True, READ, policy=RECOVERY),
        )
        return Authorizer(RECOVERY, CompiledPolicies(rules), self.settings.default_allow)

    def _rights_of(self, policies: list[Policy]) -> CompiledPolicies:
        key = _key(policies)
        rights = self._rights.get(key)
        if rights is None:
            rights = self._keep_rights(key, CompiledPolicies(_rules_of(policies), self._memory))
        return rights

    def _keep_rights(self, key: PolicyKey, rights: CompiledPolicies) -> CompiledPolicies:
        self._rights[key] = rights
        if len(self._rights) > MAX_COMPILED:
            self._rights.popitem(last=False)
        return rights

    def _forget(self) -> None:
        """Drop cached authorizers on every change of ACLs; a listener is called once, so it is added again."""
        self._known.clear()
        if not self._watches.closed:
            self._watches.add(self._forget, (TOPIC,))


def _key(policies: list[Policy]) -> PolicyKey:
    return tuple(sorted((policy.id, policy.modify_index) for policy in policies))


def _rules_of(policies: list[Policy]) -> list[Rule]:
    return [rule for policy in policies for rule in _rules(policy)]


def _rules(policy: Policy) -> Iterable[Rule]:
    try:
        return [replace(rule, policy=policy.name) for rule in parse_rules(policy.rules)]
    except RuleError as error:  # it was checked when it was written; a newer program may have written it
        log.error("cannot read policy %s, it grants nothing: %s", policy.name, error)
        return ()
