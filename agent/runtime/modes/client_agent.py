"""Mode client agent: local registrations and checks; everything else is asked of the servers of the datacenter."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from pyconsul.agent.acl.resolver import Resolver
from pyconsul.agent.acl.rules import READ
from pyconsul.agent.common.process.sd_notify import Notifier
from pyconsul.agent.config.config import Config
from pyconsul.agent.dnsd.settings import settings_of
from pyconsul.agent.engine.contract import Passed
from pyconsul.agent.events.event_log import EventLog
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.forwarding.standing import NO_SERVERS, Scope
from pyconsul.agent.httpapi.handlers.acl.login_keys import LoginKeys
from pyconsul.agent.remote.catalog import RemoteCatalog
from pyconsul.agent.remote.dns.held_parts import HeldParts
from pyconsul.agent.remote.resolver import RemoteResolver, remote_resolver
from pyconsul.agent.rpc.forwarding.forwarder import ServerForwarder
from pyconsul.agent.rpc.forwarding.peer_requests import PeerRequests
from pyconsul.agent.rpc.forwarding.server_requests import ServerRequests
from pyconsul.agent.rpc.home import HomeConnection
from pyconsul.agent.runtime import access_control, local
from pyconsul.agent.runtime.data import data_folder
from pyconsul.agent.runtime.gossip import members, retry_join
from pyconsul.agent.runtime.network import Network, open_network, other_agents, server_requests
from pyconsul.agent.runtime.reload import AgentControl
from pyconsul.agent.runtime.serving import Front, start_loop_lag
from pyconsul.agent.state.acl.tables import TOPIC as ACL_TOPIC
from pyconsul.agent.state.contract import Unavailable
from pyconsul.agent.state.store import Store
from pyconsul.agent.sync.agent_tokens import AgentTokens, agent_tokens
from pyconsul.agent.sync.local_agent import LocalAgent


class ClientStanding:
    """The standing of an agent without a state."""

    always_current, knows_leader, last_contact_ms, has_state = True, True, 0, False

    def serves(self, scope: Scope) -> bool:
        """Return whether a request is about this agent itself."""
        return scope == "local"

    def barrier(self) -> None:
        """Return that there is nothing to wait for."""

    def after_barrier(self, passed: Passed) -> None:
        """Call back soon."""
        asyncio.get_running_loop().call_soon(passed, None)


class NoState:
    """Stands for everything that only servers do with the state."""

    def __call__(self, *_: object, **__: object) -> NoReturn:
        raise Unavailable(NO_SERVERS)

    def renew(self, session_id: str, ttl_s: float) -> NoReturn:
        """Raises Unavailable."""
        raise Unavailable(NO_SERVERS)


async def start(
    config: Config, stack: AsyncExitStack, stop: Callable[[int], None], notifier: Notifier | None = None
) -> AgentControl:
    """Start every part; the stack stops them in reverse.  stop: ends the agent with an exit status.

    Raises DataFolderError, WatchError, ListenError, EngineError, FileDefinitionError, GossipError.
    """
    stack.callback(data_folder.Lock(Path(config.data_dir)).release)
    front = Front(config)
    network = await open_network(config, stack)
    standing, nothing = ClientStanding(), Store()
    servers = server_requests(config, network, standing, None)
    tokens = agent_tokens(config, partial(nothing.watches.fire, (ACL_TOPIC,)))
    acl = _resolver(config, servers, tokens, stack)
    agent = await _start_local(config, servers, tokens, acl, nothing, stack)
    events = EventLog(nothing.watches, asyncio.get_running_loop().call_soon, time.time)
    counters = members.follow_events(config, network.lan, agent, events, stack)
    control = AgentControl(config, agent, tokens, network.lan, stop, notifier)
    control.on_reload(network.configure)
    held = HeldParts(servers, nothing.watches, settings_of(config), tokens.get, random.Random())
    no_state: Any = NoState()
    context = Context(
        nothing,
        nothing.watches,
        no_state,
        no_state,
        no_state,
        no_state,
        agent,
        tokens,
        control,
        events,
        network.lan,
        LoginKeys(),
        standing=standing,
        agents=other_agents(config, network, tokens.get),
        held_parts=held,
        acl=acl,
        loop_lag=start_loop_lag(stack),
        request_counts=servers.counts,
        pool_counters=counters,
    )
    app = await front.serve(context, control, ServerForwarder(context, servers), stack)
    network.answer_with(PeerRequests(app, standing, servers, lambda: "").serve)
    _stay_connected(network, (agent.syncer.retry, held.retry, front.retry_watches), stack)
    retry_join.start(config, network.lan, network.servers, stop, stack)
    return control


async def _start_local(
    config: Config,
    servers: ServerRequests,
    tokens: AgentTokens,
    acl: Resolver | None,
    nothing: Store,
    stack: AsyncExitStack,
) -> LocalAgent:
    """Start the local half of the agent; the servers authorize what it registers."""
    catalog = RemoteCatalog(servers, tokens.get)
    reads = access_control.permits(acl, READ) if acl else None
    return await local.start(config, catalog, None, nothing.watches, stack, None, reads, waits=False)


def _resolver(
    config: Config, servers: ServerRequests, tokens: AgentTokens, stack: AsyncExitStack
) -> RemoteResolver | None:
    if not config.acl.enabled:
        return None
    acl = remote_resolver(config, servers, tokens.get, time.time)
    stack.push_async_callback(acl.close)
    return acl


def _stay_connected(network: Network, retries: Iterable[Callable[[], None]], stack: AsyncExitStack) -> None:
    """Stay connected to a server, and call `retries` when there may be another one."""
    for retry in retries:
        stack.callback(network.servers.subscribe(retry))
    home = HomeConnection(network.peers, network.servers)
    stack.push_async_callback(home.stop)
    home.start()
