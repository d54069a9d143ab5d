"""The parts of a server: builds them, starts them in order, and stops them in reverse."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from urllib.parse import quote, urlencode

from pyconsul.agent.acl.authorizer import EVERYTHING
from pyconsul.agent.acl.resolver import Resolver
from pyconsul.agent.acl.rules import READ
from pyconsul.agent.common.process.sd_notify import Notifier
from pyconsul.agent.config.config import Config
from pyconsul.agent.config.problems import ReloadError
from pyconsul.agent.dnsd.prepared import query_executor
from pyconsul.agent.dnsd.responder import Responder
from pyconsul.agent.dnsd.server import DNSServer
from pyconsul.agent.dnsd.settings import settings_of
from pyconsul.agent.duties.acl_bootstrap import ACLBootstrap
from pyconsul.agent.duties.contract import Duty, Leadership
from pyconsul.agent.duties.history_retention import HistoryRetention
from pyconsul.agent.duties.leader_duties import LeaderDuties
from pyconsul.agent.duties.session_expiry import SessionExpiry
from pyconsul.agent.duties.state_upkeep import StateUpkeep
from pyconsul.agent.duties.token_expiry import TokenExpiry
from pyconsul.agent.events.event_log import EventLog
from pyconsul.agent.httpapi.core.app import App
from pyconsul.agent.httpapi.core.cache import ResponseCache
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.forwarding.no_path import NoPath
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.handlers.acl.login_keys import LoginKeys
from pyconsul.agent.httpapi.routes import ROUTES
from pyconsul.agent.httpapi.server.contract import Response
from pyconsul.agent.httpapi.server.limits import Limits
from pyconsul.agent.httpapi.server.server import HTTPServer, Listener
from pyconsul.agent.runtime import access_control, listeners, local
from pyconsul.agent.runtime.gossip import members, retry_join
from pyconsul.agent.runtime.gossip.lan import open_lan
from pyconsul.agent.runtime.reload import AgentControl
from pyconsul.agent.runtime.steady_clock import SteadyClock
from pyconsul.agent.runtime.storage import Storage, history_retention
from pyconsul.agent.state.acl.tables import TOPIC as ACL_TOPIC
from pyconsul.agent.state.watches import Watches, on_replaced
from pyconsul.agent.sync.agent_tokens import agent_tokens
from pyconsul.agent.sync.anti_entropy.local_catalog import LocalCatalog
from pyconsul.agent.sync.local_agent import LocalAgent
from pyconsul.agent.telemetry.loop_lag import LoopLag
from pyconsul.agent.watches.definition import Definition, WatchError
from pyconsul.agent.watches.watcher import Ask, Found, Watcher


async def start(
    config: Config,
    open_storage: Callable[[Callable[[], float]], Awaitable[Storage]],
    leadership: Leadership,
    stack: AsyncExitStack,
    stop: Callable[[int], None],
    notifier: Notifier | None = None,
) -> AgentControl:
    """Start every part; the stack stops them in reverse.

    open_storage: loads the state, given a clock.   stop: ends the agent with an exit status.   notifier: is told of reloads.
    Raises WatchError, ListenError, EngineError, FileDefinitionError, GossipError.
    """
    watches = Watcher.check(config.watches)
    http_sockets, dns_sockets = listeners.http_sockets(config), listeners.dns_sockets(config)
    clock = _start_clock(stack)
    storage = await open_storage(clock)
    store, writer = storage.store, storage.writer
    tokens = agent_tokens(config, partial(store.watches.fire, (ACL_TOPIC,)))
    sessions, history = await _start_duties(config, storage, clock, leadership, stack)
    acl = access_control.resolver(config, store, tokens, clock) if config.acl.enabled else None
    local_watches = Watches()
    agent = await _start_local(config, storage, acl, local_watches, stack)
    lan = await open_lan(config, stack)
    events = EventLog(local_watches, asyncio.get_running_loop().call_soon)
    counters = await members.follow(config, lan, storage, agent, events, leadership, stack)
    control = AgentControl(config, agent, tokens, lan, stop, notifier)
    control.on_reload(lambda fresh: history.use(history_retention(fresh)))
    context = Context(
        store,
        store.watches,
        writer.commit,
        writer.commit_steps,
        writer.replace,
        sessions,
        agent,
        tokens,
        control,
        events,
        lan,
        LoginKeys(),
        acl=acl,
        kv_history=storage.engine.history,
        loop_lag=_start_loop_lag(stack),
        pool_counters=counters,
    )
    await _serve(context, control, http_sockets, dns_sockets, watches, stack)
    retry_join.start(config, lan, stop, stack)
    return control


def _start_clock(stack: AsyncExitStack) -> SteadyClock:
    clock = SteadyClock()
    clock.start(stack)
    return clock


async def _start_local(
    config: Config, storage: Storage, acl: Resolver | None, local_watches: Watches, stack: AsyncExitStack
) -> LocalAgent:
    """Start the local half of the agent; a restore makes it compare everything with the catalog."""
    permits = (access_control.permits(acl), access_control.permits(acl, READ)) if acl else (None, None)
    catalog = LocalCatalog(storage.store, storage.writer.commit)
    agent = await local.start(config, catalog, storage.store, local_watches, stack, *permits)
    on_replaced(storage.store.watches, agent.syncer.schedule_full_sync)
    return agent


def _start_loop_lag(stack: AsyncExitStack) -> LoopLag:
    lag = LoopLag(time.monotonic)
    lag.start()
    stack.callback(lag.stop)
    return lag


def _start_watcher(app: App, watches: Sequence[Definition], control: AgentControl, stack: AsyncExitStack) -> None:
    """Run the watches of the configuration, and other ones after a reload."""
    watcher = Watcher(_asker(app))
    watcher.use(watches)
    stack.push_async_callback(watcher.stop)
    control.before_reload(partial(_check_watches, watcher))
    control.on_reload(lambda fresh: watcher.use(Watcher.check(fresh.watches)))


async def _start_duties(
    config: Config,
    storage: Storage,
    clock: Callable[[], float],
    leadership: Leadership,
    stack: AsyncExitStack,
) -> tuple[SessionExpiry, HistoryRetention]:
    """Start what only the leader does; returns the duties that requests and reloads use."""
    store, commit = storage.store, storage.writer.commit
    sessions = SessionExpiry(store, commit)
    history = HistoryRetention(storage.engine, history_retention(config), clock)
    duties: list[Duty] = [sessions, StateUpkeep(store, storage.writer, clock), history]
    if config.acl.enabled:
        duties.append(ACLBootstrap(store, commit, config.acl.tokens.initial_management))
        duties.append(TokenExpiry(store, commit, clock))
    running = LeaderDuties(leadership, duties)
    stack.push_async_callback(running.stop)
    await running.start()
    return sessions, history


async def _serve(
    context: Context,
    control: AgentControl,
    http_sockets: list[socket.socket],
    dns_sockets: tuple[list[socket.socket], list[socket.socket]],
    watches: Sequence[Definition],
    stack: AsyncExitStack,
) -> None:
    """Start what clients and handlers see: HTTP, DNS, and the watches of the configuration."""
    app = await _start_http(context, control, http_sockets, stack)
    stack.callback(context.events.watches.close)  # before the HTTP server stops: it waits for blocking queries
    await _start_dns(context, control, dns_sockets, stack)
    _start_watcher(app, watches, control, stack)


async def _start_http(
    context: Context, control: AgentControl, sockets: list[socket.socket], stack: AsyncExitStack
) -> App:
    app = App(context, ROUTES, ResponseCache(context.watches), NoPath(context))
    control.on_reload(app.configure)
    limits = _http_limits(context.config, lambda: context.config.limits.http_max_conns_per_client)
    server = HTTPServer(app, [Listener(sock) for sock in sockets], limits)
    await server.start()
    stack.push_async_callback(server.stop)
    return app


async def _start_dns(
    context: Context,
    control: AgentControl,
    sockets: tuple[list[socket.socket], list[socket.socket]],
    stack: AsyncExitStack,
) -> None:
    config, view = context.config, context.view
    caller = access_control.dns_caller(context.acl) if context.acl else lambda: EVERYTHING
    execute = query_executor(view, caller, config.node_name, config.datacenter, context.rng)
    responder = Responder(view, context.watches, settings_of(config), execute_query=execute, caller=caller)
    control.on_reload(lambda fresh: responder.reconfigure(settings_of(fresh)))
    server = DNSServer(responder, *sockets)
    await server.start()
    stack.push_async_callback(server.stop)
    if context.acl is not None:
        access_control.follow_changes(context.watches, responder.forget, context.agent.syncer.full_sync)


def _check_watches(watcher: Watcher, config: Config) -> None:
    """Raise ReloadError for watches that are refused; those that ran are stopped then."""
    try:
        watcher.prepare(config.watches)
    except WatchError as error:
        raise ReloadError(f"Failed reloading watches: {error}") from None


def _http_limits(config: Config, connections_per_client: Callable[[], int]) -> Limits:
    limits = Limits(connections_per_client=connections_per_client)
    if not config.http_config.max_header_bytes:
        return limits
    # Go's server adds 4096 bytes, too; more than the default would break the promise of 256 KB a connection.
    return replace(limits, head=min(config.http_config.max_header_bytes + 4096, limits.head))


def _asker(app: App) -> Ask:
    """Return a function that sends a GET of a quoted path with query and token to `app`."""

    async def ask(path: str, query: Mapping[str, str], token: str) -> Found:
        target = path + ("?" + urlencode(query, quote_via=quote) if query else "")
        headers = {b"x-consul-token": token.encode("latin-1", "replace")} if token else {}
        begun = app.begin(Request("GET", target.encode(), headers))
        response = begun if isinstance(begun, Response) else await begun
        index = next((int(text) for name, text in response.headers if name.lower() == b"x-consul-index"), 0)
        return Found(response.status, index, bytes(response.body))

    return ask
