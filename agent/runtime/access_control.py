"""Connects the ACL system with the parts that it protects: anti-entropy, DNS, and what is cached for tokens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from pyconsul.agent.acl.authorizer import EVERYTHING, Authorizer, CompiledPolicies, UnknownToken
from pyconsul.agent.acl.resolver import Resolver, Settings
from pyconsul.agent.acl.rules import WRITE
from pyconsul.agent.config.config import Config
from pyconsul.agent.httpapi.core.forwarding.standing import Standing
from pyconsul.agent.remote.resolver import RemoteResolver
from pyconsul.agent.remote.server_resolver import ServerResolver
from pyconsul.agent.state.acl.tables import TOPIC
from pyconsul.agent.state.store import Store
from pyconsul.agent.state.watches import Watches
from pyconsul.agent.sync.agent_tokens import AgentTokens
from pyconsul.agent.sync.anti_entropy.blocked import Permits

SYNC_DELAY_S = 0.2  # from a change of ACLs to the full sync; changes within it lead to one full sync


def resolver(
    config: Config,
    store: Store,
    tokens: AgentTokens,
    clock: Callable[[], float],
    elsewhere: RemoteResolver,
    standing: Standing,
) -> Resolver:
    """Return the resolver of a server.  clock: Unix seconds.  elsewhere: used while the server has no state."""
    settings = Settings(
        datacenter=config.datacenter,
        node_name=config.node_name,
        default_allow=config.acl.default_policy == "allow",
        down_policy=config.acl.down_policy,
        key_list_policy=config.acl.enable_key_list_policy,
    )
    has_state = lambda: standing.has_state  # noqa: E731
    return ServerResolver(store, store.watches, settings, tokens.get, clock, elsewhere, has_state)


def permits(acl: Resolver, level: int = WRITE) -> Permits:
    """Return a function that authorizes rows of this agent by their tokens; rows without one by the agent's own tokens."""

    def refused(token: str, kind: str, name: str) -> str | None:
        secrets = [token] if token else [acl.own("config_file_service_registration"), acl.own("default")]
        if any(_allows(acl, secret, kind, level, name) for secret in dict.fromkeys(secrets)):
            return None
        return _accessor(acl, secrets[0] or secrets[-1])

    return refused


def _accessor(acl: Resolver, secret: str) -> str:
    try:
        return acl.of(secret).accessor
    except UnknownToken:
        return "unknown"  # a token that does not exist, or no longer


def _allows(acl: Resolver, secret: str, kind: str, level: int, name: str) -> bool:
    try:
        return acl.of(secret).allows(kind, level, name)
    except UnknownToken:
        return False


def dns_caller(acl: Resolver, standing: Standing) -> Callable[[], Authorizer]:
    """Return the caller of DNS questions: the agent's DNS token, or else its default token; nobody when it is unknown.

    While the server has no state, another one has authorized what it shows.
    """

    def caller() -> Authorizer:
        if not standing.has_state:
            return EVERYTHING
        try:
            return acl.of(acl.own("dns"))
        except UnknownToken:
            return nobody

    nobody = Authorizer("", CompiledPolicies(()), default_allow=False)
    return caller


def follow_changes(
    watches: Watches, clear_dns_cache: Callable[[], None], full_sync: Callable[[], Awaitable[object]]
) -> None:
    """On every change of ACLs clear the cache of DNS answers and schedule a full sync."""
    running: set[asyncio.Task[object]] = set()

    async def sync_soon() -> object:
        await asyncio.sleep(SYNC_DELAY_S)
        return await full_sync()

    def on_change() -> None:
        clear_dns_cache()
        if watches.closed:
            return
        watches.add(on_change, (TOPIC,))
        if not running:
            task = asyncio.get_running_loop().create_task(sync_soon())
            running.add(task)
            task.add_done_callback(running.discard)

    watches.add(on_change, (TOPIC,))
