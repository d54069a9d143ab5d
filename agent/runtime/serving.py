"""The agent's side to its clients: HTTP, DNS, and the watches of the configuration."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from urllib.parse import quote, urlencode

from pyconsul.agent.acl.authorizer import EVERYTHING, Authorizer
from pyconsul.agent.config.config import Config
from pyconsul.agent.config.problems import ReloadError
from pyconsul.agent.dnsd.prepared import query_executor
from pyconsul.agent.dnsd.responder import Responder
from pyconsul.agent.dnsd.server import DNSServer
from pyconsul.agent.dnsd.settings import settings_of
from pyconsul.agent.dnsd.views import ClusterViews, PartHolder, WholeState
from pyconsul.agent.httpapi.core.app import App
from pyconsul.agent.httpapi.core.cache import ResponseCache
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.forwarding.contract import Forwarder
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.routes import ROUTES
from pyconsul.agent.httpapi.server.contract import Response
from pyconsul.agent.httpapi.server.limits import Limits
from pyconsul.agent.httpapi.server.server import HTTPServer, Listener
from pyconsul.agent.runtime import access_control, listeners
from pyconsul.agent.runtime.reload import AgentControl
from pyconsul.agent.telemetry.loop_lag import LoopLag
from pyconsul.agent.ui.own_pages import OwnPages
from pyconsul.agent.ui.routes import Pages
from pyconsul.agent.watches.definition import Definition, WatchError
from pyconsul.agent.watches.watcher import Ask, Found, Watcher


class Front:
    """The sockets for clients, open before anything else, and the watches of the configuration, checked."""

    def __init__(self, config: Config) -> None:
        """Raises WatchError, ListenError."""
        self._watches = Watcher.check(config.watches)
        self._watcher: Watcher | None = None
        self._http, self._dns = listeners.http_sockets(config), listeners.dns_sockets(config)

    async def serve(self, context: Context, control: AgentControl, forwarder: Forwarder, stack: AsyncExitStack) -> App:
        """Serve from now on; the stack ends it."""
        app = await _start_http(context, control, forwarder, self._http, stack)
        stack.callback(context.events.watches.close)  # before the HTTP server stops: it waits for blocking queries
        await _start_dns(context, control, self._dns, stack)
        self._watcher = _start_watcher(app, self._watches, control, stack)
        return app

    def retry_watches(self) -> None:
        """Try watches that have failed again at once: there may be a server now."""
        if self._watcher is not None:
            self._watcher.retry()


def _start_watcher(app: App, watches: Sequence[Definition], control: AgentControl, stack: AsyncExitStack) -> Watcher:
    """Run the watches of the configuration, and other ones after a reload; returns what runs them."""
    watcher = Watcher(_asker(app))
    watcher.use(watches)
    stack.push_async_callback(watcher.stop)
    control.before_reload(partial(_check_watches, watcher))
    control.on_reload(lambda fresh: watcher.use(Watcher.check(fresh.watches)))
    return watcher


async def _start_http(
    context: Context,
    control: AgentControl,
    forwarder: Forwarder,
    sockets: list[socket.socket],
    stack: AsyncExitStack,
) -> App:
    pages, ui = Pages(context.config), context.config.ui_config
    more = () if not ui.enabled else OwnPages(ui).routes if ui.dir else pages.routes
    app = App(context, (*ROUTES, *more), ResponseCache(context.watches), forwarder)
    pages.connect(context, app.begin)
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
    settings = settings_of(context.config)
    for held in (context.held_parts, context.parts_elsewhere):
        if held is not None:
            held.start()
            stack.push_async_callback(held.stop)
    if context.held_parts is not None:
        views: PartHolder | ClusterViews = context.held_parts
        responder = Responder(views, context.watches, settings, fetch=views.fetch)
    else:
        caller = access_control.dns_caller(context.acl, context.standing) if context.acl else lambda: EVERYTHING
        views = ClusterViews(_whole_state(context, caller), context.standing, settings, context.parts_elsewhere)
        responder = Responder(views, context.watches, settings, fetch=views.fetch, caller=caller)
    control.on_reload(lambda fresh: views.reconfigure(settings_of(fresh)))
    control.on_reload(lambda fresh: responder.reconfigure(settings_of(fresh)))
    server = DNSServer(responder, *sockets)
    await server.start()
    stack.push_async_callback(server.stop)
    if context.acl is not None:
        access_control.follow_changes(context.watches, responder.forget, context.agent.syncer.full_sync)


def _whole_state(context: Context, caller: Callable[[], Authorizer]) -> WholeState:
    config, view = context.config, context.view
    return WholeState(view, query_executor(view, caller, config.node_name, config.datacenter, context.rng))


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


def start_loop_lag(stack: AsyncExitStack) -> LoopLag:
    """Measure how late the event loop runs what is due, until the stack ends."""
    lag = LoopLag(time.monotonic)
    lag.start()
    stack.callback(lag.stop)
    return lag
