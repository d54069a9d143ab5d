"""Tokens on an agent that holds no state: servers are asked for them, and their responses are kept.

A response is used for `acl.token_ttl`, or for `policy_ttl` or `role_ttl` if that is shorter and the token has policies or roles
(`role_ttl` 0: as policies).  While no server can be reached, `acl.down_policy` decides:

| down_policy | a token that is kept | any other |
| --- | --- | --- |
| extend-cache | as it was | no permissions |
| async-cache | as it was, also while a server is asked again | no permissions |
| allow | everything except ACLs | everything except ACLs |
| deny | no permissions | no permissions |

Source: https://developer.hashicorp.com/consul/docs/agent/config/config-files#acl_down_policy
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable

import msgspec

from pyconsul.agent.acl.authorizer import Authorizer, CompiledPolicies, UnknownToken
from pyconsul.agent.acl.identity import Identity
from pyconsul.agent.acl.resolver import LONG_RULES, MAX_AUTHORIZERS, Resolver, Settings, Unread
from pyconsul.agent.config.config import Config
from pyconsul.agent.httpapi.server.contract import Response
from pyconsul.agent.model.acl import ANONYMOUS_SECRET
from pyconsul.agent.remote.requests import Rejected, ServedHere, ask, path
from pyconsul.agent.rpc.contract import AskServer
from pyconsul.agent.state.contract import Unavailable
from pyconsul.agent.state.store import Store

MAX_UNKNOWN = 1_000  # tokens that do not exist which are kept
OVERDUE_S = 1.0  # age beyond its lifetime from which `of` has a token asked for again, for callers that cannot wait
LOADING_S = 5.0  # that a server gets to read its own state
LOOK_S = 0.05  # between two looks whether it has
DOWN = "primary-dc-down"  # instead of the accessor ID while no server can be reached, as in Consul
FORBIDDEN = 403

log = logging.getLogger("agent.acl")

_identity = msgspec.json.Decoder(Identity)


class Lifetimes(msgspec.Struct, frozen=True):
    """For how long servers' responses are used, in seconds."""

    token_s: float = 30.0
    policy_s: float = 30.0
    role_s: float = 0.0

    def of(self, identity: Identity) -> float:
        """Return for how long an identity is used."""
        times = [self.token_s]
        if identity.policies:
            times.append(self.policy_s)
        if identity.has_roles:
            times.append(self.role_s or self.policy_s)
        return min(times)


class _Known(msgspec.Struct, frozen=True):
    """A token as it was last known.

    authorizer: None for a token that does not exist; `refusal` is its error text then.
    until: when a server is asked again.  expires: when the token itself ends.  Unix seconds.
    is_guess: no server has answered; the down policy decided.
    """

    authorizer: Authorizer | None
    until: float
    expires: float = float("inf")
    refusal: str = ""
    is_guess: bool = False


class RemoteResolver(Resolver):
    """The authorizers of an agent that asks servers.

    `of` never waits: before it, a request waits for what `unread` returns.
    """

    def __init__(
        self,
        servers: AskServer,
        settings: Settings,
        lifetimes: Lifetimes,
        own: Callable[[str], str],
        clock: Callable[[], float],
        is_needed: Callable[[], bool] = lambda: True,
    ) -> None:
        """own: returns one of the agent's own tokens by its name.   clock: Unix seconds.

        is_needed: returns False once this agent has the state itself, and the responses of others do not matter any more.
        """
        nothing = Store()
        super().__init__(nothing, nothing.watches, settings, own, clock)
        self._servers, self._lifetimes = servers, lifetimes
        self._valid: OrderedDict[str, _Known] = OrderedDict()
        self._unknown_tokens: OrderedDict[str, _Known] = OrderedDict()
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._is_down = False
        self._is_needed = is_needed

    def of(self, secret: str) -> Authorizer:
        """Return the authorizer of a secret, as it was last known.

        Raises UnknownToken; also for a token that no server was asked for, which is asked for then.
        """
        secret = self._given(secret)
        if self._is_recovery(secret):
            return self._recovery()
        known, now = self._find(secret), self.clock()
        if known is None or now >= known.until + OVERDUE_S:
            self._begin(secret)
        if known is None or known.authorizer is None or now >= known.expires:
            raise UnknownToken(known.refusal) if known is not None and known.refusal else UnknownToken()
        return known.authorizer

    def expires(self, secret: str) -> float | None:
        """Return when a kept token is asked for again (Unix seconds); None for one that always holds."""
        known = self._find(self._given(secret))
        return None if known is None else min(known.until, known.expires)

    def unread(self, secret: str) -> Unread | Awaitable[None] | None:
        """Return what to wait for before `of` knows a secret; None: nothing."""
        secret = self._given(secret)
        if self._is_recovery(secret):
            return None
        known = self._find(secret)
        if known is not None and self.clock() < known.until:
            return None
        asking = self._begin(secret)
        if known is not None and not known.is_guess and self.settings.down_policy == "async-cache":
            return None
        return asyncio.shield(asking)

    async def close(self) -> None:
        """Stop asking."""
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    def _given(self, secret: str) -> str:
        return secret or self.own("default") or ANONYMOUS_SECRET

    def _find(self, secret: str) -> _Known | None:
        return self._valid.get(secret) or self._unknown_tokens.get(secret)

    def _begin(self, secret: str) -> asyncio.Task[None]:
        """Return the task that asks for a token; there is one at a time for each."""
        asking = self._asking.get(secret)
        if asking is None:
            asking = self._asking[secret] = asyncio.get_running_loop().create_task(self._ask(secret))
            asking.add_done_callback(lambda _: self._asking.pop(secret, None))
        return asking

    async def _ask(self, secret: str) -> None:
        """Ask a server for a token, and keep the response; never raises."""
        try:
            identity = await self._identity_of(secret)
        except Rejected as error:
            if error.status == FORBIDDEN:
                self._keep(secret, _Known(None, self.clock() + self._lifetimes.token_s, refusal=str(error)))
                return
            self._use_down_policy(secret, f"status {error.status}: {error}")
        except Unavailable as error:
            if self._is_needed():
                self._use_down_policy(secret, str(error))
        except Exception as error:
            log.exception("a token cannot be resolved")
            self._use_down_policy(secret, type(error).__name__)
        else:
            authorizer = await self._authorizer(identity)
            until = self.clock() + self._lifetimes.of(identity)
            expires = float("inf") if identity.expires is None else identity.expires
            self._keep(secret, _Known(authorizer, until, expires))

    async def _identity_of(self, secret: str) -> Identity:
        """Return what the servers know of a token; one that a server does not know yet, as the leader knows it."""
        target = path("caller")
        try:
            response = await self._response(target + "?stale", secret)
        except Rejected as error:
            if error.status != FORBIDDEN:
                raise
            try:
                response = await self._response(target, secret)
            except Unavailable:  # without a leader, what one server knows counts
                raise error from None
        if self._is_down:
            self._is_down = False
            log.info("servers resolve tokens again")
        return _identity.decode(response.body)

    async def _response(self, target: str, secret: str) -> Response:
        """Return the response of a server; a server that is about to read its own state waits for that."""
        for _ in range(round(LOADING_S / LOOK_S)):
            try:
                return await ask(self._servers, "read", "GET", target, secret)
            except ServedHere:
                if not self._is_needed():
                    raise
                await asyncio.sleep(LOOK_S)
        raise Unavailable(f"this server has not read its state within {LOADING_S:g} s")

    async def _authorizer(self, identity: Identity) -> Authorizer:
        policies = identity.policies
        if sum(len(policy.rules) for policy in policies) < LONG_RULES:
            rights = self._rights_of(policies)
        else:
            unread = Unread(tuple(sorted((one.id, one.modify_index) for one in policies)), policies)
            rights = await asyncio.to_thread(unread.compile)
            self.adopt(unread, rights)
        return Authorizer(identity.accessor, rights, self.settings.default_allow)

    def _keep(self, secret: str, known: _Known) -> None:
        self._valid.pop(secret, None)
        self._unknown_tokens.pop(secret, None)
        kept, limit = (
            (self._valid, MAX_AUTHORIZERS) if known.authorizer is not None else (self._unknown_tokens, MAX_UNKNOWN)
        )
        kept[secret] = known
        if len(kept) > limit:
            kept.popitem(last=False)

    def _use_down_policy(self, secret: str, reason: str) -> None:
        """Decide about a token that no server resolves; it holds for the requests that wait, and the next one asks again."""
        policy = self.settings.down_policy
        if not self._is_down:
            self._is_down = True
            log.warning("no server resolves tokens, acl.down_policy decides: policy=%s error=%s", policy, reason)
        known = self._find(secret)
        if policy in ("extend-cache", "async-cache") and known is not None and not known.is_guess:
            return
        allowed = Authorizer(DOWN, CompiledPolicies(()), default_allow=policy == "allow")
        self._keep(secret, _Known(allowed, self.clock(), is_guess=True))


def remote_resolver(
    config: Config,
    servers: AskServer,
    own: Callable[[str], str],
    clock: Callable[[], float],
    is_needed: Callable[[], bool] = lambda: True,
) -> RemoteResolver:
    """Return the resolver of a client agent with these settings; `RemoteResolver` says what the arguments are."""
    acl = config.acl
    settings = Settings(
        datacenter=config.datacenter,
        node_name=config.node_name,
        default_allow=acl.default_policy == "allow",
        down_policy=acl.down_policy,
        key_list_policy=acl.enable_key_list_policy,
    )
    lifetimes = Lifetimes(acl.token_ttl, acl.policy_ttl, acl.role_ttl)
    return RemoteResolver(servers, settings, lifetimes, own, clock, is_needed)
