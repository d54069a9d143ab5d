"""The HTTP API of an agent without sockets or processes: a state in memory, a scripted pool, no access control by default."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from msgspec.structs import replace

from pyconsul.agent.acl.resolver import Resolver
from pyconsul.agent.config.config import Config
from pyconsul.agent.duties.session_expiry import SessionExpiry
from pyconsul.agent.engine.memory import MemoryEngine
from pyconsul.agent.engine.writer import Writer
from pyconsul.agent.events.event_log import EventLog
from pyconsul.agent.events.event_receiver import EventReceiver
from pyconsul.agent.httpapi.core.app import App
from pyconsul.agent.httpapi.core.cache import ResponseCache
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.forwarding.contract import Forwarder
from pyconsul.agent.httpapi.core.forwarding.no_path import NoPath
from pyconsul.agent.httpapi.core.forwarding.standing import SingleServer, Standing
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import Response
from pyconsul.agent.httpapi.handlers.acl.login_keys import LoginKeys
from pyconsul.agent.httpapi.routes import ROUTES
from pyconsul.agent.state.store import Store
from pyconsul.agent.state.watches import Watches
from pyconsul.agent.sync.agent_tokens import agent_tokens
from support.local_agent import World
from support.scripted_cluster import ScriptedCluster
from support.scripted_pool import ScriptedPool


class FixedControl:
    """The control of an agent whose settings do not change."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.has_left = False

    async def reload(self) -> None:
        """Do nothing."""

    async def leave(self) -> None:
        self.has_left = True


def in_memory() -> tuple[Store, Writer]:
    """Return an empty state, and what writes to it."""
    store = Store()
    return store, Writer(store, MemoryEngine())


class Api:
    """One agent; `settings` are those of its configuration.  cluster: that of the server; without one it is the only server."""

    def __init__(
        self,
        pool: ScriptedPool | None = None,
        acl: Resolver | None = None,
        *,
        state: tuple[Store, Writer] | None = None,
        standing: Standing | None = None,
        forwarder: Callable[[Context], Forwarder] = NoPath,
        cluster: ScriptedCluster | None = None,
        wan: ScriptedPool | None = None,
        **settings: Any,
    ) -> None:
        self.pool, self.cluster = pool or ScriptedPool(), cluster or ScriptedCluster()
        self.wan = wan or ScriptedPool()
        fields = {
            "node_name": self.pool.name,
            "server": True,
            "advertise_addr": "10.0.0.1",
            "advertise_addr_wan": "10.0.0.1",
        }
        self.config = replace(Config(), **{**fields, **settings})
        self.store, self.writer = state or in_memory()
        self.events = EventLog(Watches())
        self.control = FixedControl(self.config)
        self.pool.subscribe(EventReceiver(self.events, self.pool.name, list).receive)
        context = Context(
            self.store,
            self.store.watches,
            self.writer.commit,
            self.writer.commit_steps,
            self.writer.replace,
            SessionExpiry(self.store, self.writer.commit),
            World(view=self.store).agent,
            agent_tokens(self.config, lambda: None),
            self.control,
            self.events,
            self.pool,
            LoginKeys(),
            acl=acl,
            standing=standing or SingleServer(),
            wan=wan,
            cluster=cluster,
        )
        self.context = context
        self.pool.subscribe(context.pool_counters.receive)
        self.app = App(context, ROUTES, ResponseCache(self.store.watches), forwarder(context))

    async def request(self, method: str, target: str, body: bytes = b"", token: str = "") -> Response:
        headers = {b"x-consul-token": token.encode()} if token else {}
        begun = self.app.begin(Request(method, target.encode(), headers, body))
        response: Any = await begun if isinstance(begun, Awaitable) else begun
        assert isinstance(response, Response)
        return response

    async def text(self, method: str, target: str, body: bytes = b"") -> tuple[int, str]:
        """Return status and body of a response."""
        response = await self.request(method, target, body)
        return response.status, bytes(response.body).decode()

    async def json(self, target: str) -> Any:
        """Return the JSON of a GET that succeeds."""
        status, text = await self.text("GET", target)
        assert status == 200, text
        return json.loads(text)
