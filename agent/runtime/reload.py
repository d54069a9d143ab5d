"""Control of the running agent: reload of the settings, and shutdown."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from msgspec.structs import replace

from pyconsul.agent.common.process.sd_notify import Notifier
from pyconsul.agent.config import load
from pyconsul.agent.config.changes import changed, secrets
from pyconsul.agent.config.config import Config
from pyconsul.agent.config.problems import ConfigError, ReloadError
from pyconsul.agent.gossip.consul.tags import server_of
from pyconsul.agent.gossip.membership import Membership
from pyconsul.agent.logs import agent_log
from pyconsul.agent.model.member import MemberStatus
from pyconsul.agent.sync import definition_loader
from pyconsul.agent.sync.agent_tokens import AgentTokens
from pyconsul.agent.sync.local_agent import LocalAgent
from pyconsul.agent.sync.node_registration import node_registration

log = logging.getLogger("agent")


class AgentControl:
    """Reloads and stops the agent.  `config`: the effective settings."""

    def __init__(
        self,
        config: Config,
        agent: LocalAgent,
        tokens: AgentTokens,
        lan: Membership,
        stop: Callable[[int], None],
        notifier: Notifier | None = None,
        wan: Membership | None = None,
    ) -> None:
        """stop: ends the agent with an exit status."""
        self.config = config
        self._listeners: list[Callable[[Config], None]] = []
        self._agent, self._tokens, self._lan, self._wan, self._stop = agent, tokens, lan, wan, stop
        self._notifier = notifier or Notifier()
        self._checks: list[Callable[[Config], object]] = []
        self._reloading = asyncio.Lock()
        self._before_leave: list[Callable[[], Awaitable[None]]] = []
        self._before_end: list[Callable[[], Awaitable[None]]] = []

    def before_leave(self, listener: Callable[[], Awaitable[None]]) -> None:
        """Await a listener before the agent leaves the gossip pool."""
        self._before_leave.append(listener)

    def before_end(self, listener: Callable[[], Awaitable[None]]) -> None:
        """Await a listener before the agent ends, while it still serves requests."""
        self._before_end.append(listener)

    async def prepare_end(self) -> None:
        """Hand over what others can go on with."""
        for listener in self._before_end:
            await listener()

    def before_reload(self, check: Callable[[Config], object]) -> None:
        """Call a check with the new settings before a reload applies them; it raises ReloadError to refuse them."""
        self._checks.append(check)

    def on_reload(self, listener: Callable[[Config], None]) -> None:
        """Call a listener with the effective settings after each reload."""
        self._listeners.append(listener)

    async def leave(self) -> None:
        """Leave the gossip pool, then end the agent."""
        log.info("leaving on request")
        await self.leave_pools()
        self._stop(0)

    async def leave_pools(self) -> None:
        """Leave the gossip pools, so that their members do not take this agent for failed; anti-entropy ends before."""
        await self._agent.syncer.stop()
        for listener in self._before_leave:
            await listener()
        has_others = any(
            member.status is MemberStatus.ALIVE
            and member.name != self._lan.local.name
            and server_of(member) is not None
            for member in self._lan.members()
        )
        left = asyncio.gather(*(pool.leave() for pool in (self._lan, self._wan) if pool is not None))
        if self.config.server and has_others:
            log.info("answering requests until clients have found another server")
            await asyncio.sleep(self.config.performance.leave_drain_time)
        await left

    async def reload(self) -> None:
        """Read the settings again and apply those that need no restart.  Raises ReloadError; then the settings are unchanged."""
        async with self._reloading:
            self._notifier.reloading()
            try:
                await self._reload()
            finally:
                self._notifier.ready()

    async def _reload(self) -> None:
        try:
            fresh = load.reload(self.config)
            defined = definition_loader.definitions(fresh)
        except (ConfigError, definition_loader.FileDefinitionError) as error:
            raise ReloadError(str(error)) from None
        for check in self._checks:
            check(fresh)
        if fresh.refusals:
            raise ReloadError("; ".join(fresh.refusals))
        agent_log.redactor.hide(secrets(fresh))
        for warning in fresh.warnings:
            if warning not in self.config.warnings:
                log.warning("%s", warning)
        keys = changed(self.config, fresh)
        if keys.restart:
            log.warning("changed settings that need a restart: %s", ", ".join(keys.restart))
        config = self.config
        for key in keys.reloadable:
            config = _with(config, fresh, key.split("."))
        await self._use(replace(config, origin=fresh.origin, warnings=fresh.warnings), defined)

    async def _use(self, config: Config, defined: definition_loader.Definitions) -> None:
        self.config = config
        agent_log.set_level(config.log_level)
        self._tokens.reload(config.acl.tokens)
        self._agent.reconfigure(node_registration(config), config.discard_check_output)
        await definition_loader.reload(self._agent, defined)
        await self._agent.syncer.full_sync()
        for listener in self._listeners:
            listener(config)
        log.info("configuration reloaded")


def _with(config: Any, fresh: Any, path: list[str]) -> Any:
    """Settings with one taken from others."""
    name, *rest = path
    value = getattr(fresh, name)
    return replace(config, **{name: _with(getattr(config, name), value, rest) if rest else value})
