"""Access control of a running agent: what is there from the start, and tokens that end when their time has come."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from typing import Any

from pyconsul.agent.acl import builtin
from pyconsul.agent.acl.authorizer import UnknownToken
from pyconsul.agent.acl.resolver import Resolver, Settings
from pyconsul.agent.acl.rules import READ, WRITE
from pyconsul.agent.config.config import Config
from pyconsul.agent.dnsd.answer import ExecuteQuery, QueryResult
from pyconsul.agent.dnsd.candidates import Sight
from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.model.acl import MANAGEMENT_ID, Token
from pyconsul.agent.state.acl import tokens as acl_tokens
from pyconsul.agent.state.acl.tables import POLICIES, TOKENS, TOPIC
from pyconsul.agent.state.contract import View
from pyconsul.agent.state.store import Store
from pyconsul.agent.state.watches import Watches
from pyconsul.agent.state.write_txn import WriteTxn
from pyconsul.agent.sync.agent_tokens import AgentTokens
from pyconsul.agent.sync.blocked import Permits

Commit = Callable[[Callable[[WriteTxn], Any]], Awaitable[Any]]
MAX_SLEEP_S = 1.0  # the wall clock may be set, so the next end is compared with it again and again
SETTLE = 0.2  # seconds until changed rights show in the catalog; many changes at once make one comparison
RETRY = 5.0  # seconds until tokens that could not be deleted are tried again

log = logging.getLogger("agent.acl")


async def start(
    config: Config,
    store: Store,
    tokens: AgentTokens,
    commit: Commit,
    time_now: Callable[[], float],
    stack: AsyncExitStack,
) -> Resolver:
    """Who may do what from now on; the stack stops what works for it.

    What is there from the start is made: built-in policies, the anonymous token, and the one that the settings name.
    """
    accessor, secret = str(uuid.uuid4()), config.acl.tokens.initial_management
    try:
        await commit(partial(builtin.prepare, accessor=accessor, secret=secret))
    except EngineError as error:  # a full disk; what was there at the last start still is
        log.error("cannot write the built-in policies and tokens: %s", error)
    clock = TokenClock(store, store.watches, commit, time_now)
    clock.start()
    stack.callback(clock.stop)
    settings = Settings(
        datacenter=config.datacenter,
        node_name=config.node_name,
        default_allow=config.acl.default_policy == "allow",
        down_policy=config.acl.down_policy,
        key_list_policy=config.acl.enable_key_list_policy,
    )
    tokens.changed = partial(store.watches.fire, (TOPIC,))
    return Resolver(store, store.watches, settings, tokens.get, time_now)


def permits(acl: Resolver, level: int = WRITE) -> Permits:
    """Authorization of services and checks of this agent by their tokens; without one, by the agent's own."""

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


def sight(acl: Resolver) -> Sight:
    """What DNS answers may show: what the agent's token for DNS, or else its default one, may read."""

    def sees(kind: str) -> Callable[[str], bool]:
        return lambda name: _allows(acl, acl.own("dns"), kind, READ, name)

    return Sight(node=sees("node"), service=sees("service"))


def seen(ask: ExecuteQuery, sight: Sight) -> ExecuteQuery:
    """Prepared queries that show no more than that."""

    def run(name: str, source: str, /) -> QueryResult | None:
        found = ask(name, source)
        if found is None:
            return None
        nodes = [one for one in found.nodes if sight.node(one.node.node) and sight.service(one.service.service)]
        return replace(found, nodes=nodes)

    return run


def follow(
    view: View, watches: Watches, commit: Commit, forget: Callable[[], None], compare: Callable[[], Awaitable[object]]
) -> None:
    """Whenever rights change, have DNS answers forgotten, and what the agent holds compared with the catalog."""
    running: set[asyncio.Task[object]] = set()

    async def settle() -> object:
        await asyncio.sleep(SETTLE)
        if view[POLICIES].get(MANAGEMENT_ID) is None:  # a snapshot was restored that knew of no rights
            try:
                await commit(builtin.ensure)
            except Exception as error:
                log.error("cannot write the built-in policies, retrying when rights change: %s", error)
        return await compare()

    def changed() -> None:
        forget()
        if watches.closed:
            return
        watches.add(changed, (TOPIC,))
        if not running:
            task = asyncio.get_running_loop().create_task(settle())
            running.add(task)
            task.add_done_callback(running.discard)

    watches.add(changed, (TOPIC,))


class TokenClock:
    """Ends tokens at their time, and with them what was cached for them."""

    def __init__(self, view: View, watches: Watches, commit: Commit, clock: Callable[[], float]) -> None:
        self._view, self._watches, self._commit, self._clock = view, watches, commit, clock
        self._timer: asyncio.TimerHandle | None = None
        self._ending: asyncio.Task[None] | None = None
        self._next_end: float | None = None
        self._stopped = False

    def start(self) -> None:
        """Look for the next end now, and whenever tokens change."""
        if self._stopped or self._watches.closed:
            return
        self._watches.add(self.start, (TOPIC,))
        self._look()

    def stop(self) -> None:
        self._stopped = True
        self._watches.remove(self.start, (TOPIC,))
        if self._timer is not None:
            self._timer.cancel()

    def _look(self, least: float = 0.0) -> None:
        ends = [token.expires for token in self._view[TOKENS].by("ends", True) if token.expires is not None]
        self._next_end = min(ends, default=None)
        self._sleep(least)

    def _sleep(self, least: float = 0.0) -> None:
        """Wait for the next end, in short steps: a step of the clock must not keep an expired token alive."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._next_end is not None and not self._stopped:
            delay = max(min(self._next_end - self._clock(), MAX_SLEEP_S), least)
            self._timer = asyncio.get_running_loop().call_later(delay, self._wake)

    def _wake(self) -> None:
        self._timer = None
        if self._next_end is not None and self._next_end > self._clock():
            self._sleep(0.01)
            return
        expired = [token for token in self._view[TOKENS].by("ends", True) if not acl_tokens.lives(token, self._clock())]
        if not expired:
            self._look(0.01)
        elif self._ending is None or self._ending.done():
            self._ending = asyncio.get_running_loop().create_task(self._end(expired))

    async def _end(self, expired: list[Token]) -> None:
        self._watches.fire((TOPIC,))  # nothing that was cached for them may be served, even if they cannot be deleted
        try:
            for token in expired:
                await self._commit(partial(acl_tokens.delete, accessor=token.accessor_id))
        except Exception as error:  # whatever it is: an expired token must not stay
            log.warning("cannot delete an expired token, retrying in %gs: %s", RETRY, error)
            self._look(RETRY)
