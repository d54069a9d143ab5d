"""The composition root: builds the agent's parts, starts them in order, and stops them in reverse."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import uvloop

from pyconsul.agent.acl.rules import READ, WRITE
from pyconsul.agent.common.process.sd_notify import Notifier
from pyconsul.agent.config.config import Config
from pyconsul.agent.dnsd.candidates import Sight
from pyconsul.agent.dnsd.prepared import query_executor
from pyconsul.agent.dnsd.responder import Responder
from pyconsul.agent.dnsd.server import DNSServer
from pyconsul.agent.dnsd.settings import settings_of
from pyconsul.agent.duties import tombstones
from pyconsul.agent.duties.session_expiry import SessionClock
from pyconsul.agent.engine.contract import Engine, EngineError
from pyconsul.agent.engine.embedded.engine import EmbeddedEngine
from pyconsul.agent.engine.embedded.opening import ACCEPT, EVERYTHING, NOTHING
from pyconsul.agent.engine.history.contract import Retention
from pyconsul.agent.engine.memory import MemoryEngine
from pyconsul.agent.engine.writer import Writer
from pyconsul.agent.events.event_log import EventLog
from pyconsul.agent.httpapi.core.app import App
from pyconsul.agent.httpapi.core.cache import AnswerCache
from pyconsul.agent.httpapi.core.context import Context, ReloadError
from pyconsul.agent.httpapi.routes import ROUTES
from pyconsul.agent.httpapi.server.limits import Limits
from pyconsul.agent.httpapi.server.server import HTTPServer, Listener
from pyconsul.agent.runtime import access_control as acl_control
from pyconsul.agent.runtime import data_folder, listeners, local, reload_watch
from pyconsul.agent.runtime.local_request import asker
from pyconsul.agent.runtime.reload import AgentControl
from pyconsul.agent.runtime.steady_clock import SteadyClock
from pyconsul.agent.runtime.summary import summary
from pyconsul.agent.state import lock_delays
from pyconsul.agent.state.schemas import ALL
from pyconsul.agent.state.store import Store
from pyconsul.agent.state.watches import Watches, on_replaced
from pyconsul.agent.sync.agent_tokens import agent_tokens
from pyconsul.agent.sync.definition_loader import FileDefinitionError
from pyconsul.agent.sync.local_catalog import LocalCatalog
from pyconsul.agent.telemetry.loop_lag import LoopLag
from pyconsul.agent.watches.definition import WatchError
from pyconsul.agent.watches.watcher import Watcher

#: The index of an empty state. Consul's is about as high once its server runs, so that `?index=1` is answered at once.
FIRST_INDEX = 10

log = logging.getLogger("agent")


class StartError(Exception):
    """The agent cannot start; the text says why and what to change."""


def run(config: Config) -> int:
    """Run an agent until it is told to stop; the exit status of the program."""
    try:
        return uvloop.run(_serve(config))
    except FileDefinitionError as error:
        log.error("Error starting agent", extra={"fields": {"error": error.reason}})
        log.error("the definition is in %s", error.source)
        return 1
    except WatchError as error:
        log.error("Error starting agent", extra={"fields": {"error": str(error)}})
        return 1
    except (StartError, EngineError, listeners.ListenError, data_folder.DataFolderError) as error:
        log.error("%s", error)
        return 1


async def _serve(config: Config) -> int:
    """Serve until a signal or a request ends the agent; the exit status, which for signals is Consul's."""
    stop, status = asyncio.Event(), 0

    def stop_by_signal(leaves: bool) -> None:
        nonlocal status
        status = 0 if leaves else 1
        stop.set()

    loop = asyncio.get_running_loop()
    notifier = Notifier.take(os.environ)
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # started with & by a script
        signal.signal(signal.SIGINT, signal.default_int_handler)
    loop.add_signal_handler(signal.SIGTERM, stop_by_signal, config.leave_on_terminate)
    loop.add_signal_handler(signal.SIGINT, stop_by_signal, not config.skip_leave_on_interrupt)
    files = reload_watch.stamps(reload_watch.watched(config))
    async with AsyncExitStack() as stack:
        control = await start(config, stack, stop.set, notifier)
        if config.auto_reload_config:
            reload_watch.start(control, files, stack)
        loop.add_signal_handler(signal.SIGHUP, _reload_soon, control)
        fields = summary(config)
        log.info("Agent started", extra={"fields": fields})
        notifier.status(" ".join(f"{name}={text}" for name, text in fields.items()))
        notifier.ready()
        gc.collect()
        gc.freeze()  # modules and loaded rows live as long as the agent: no collection looks at them again
        gc.set_threshold(10_000, 20, 20)
        heartbeat = loop.create_task(notifier.heartbeat())
        stack.callback(heartbeat.cancel)
        await stop.wait()
        notifier.stopping()
        log.info("stopping")
    return status


def _reload_soon(control: AgentControl) -> None:
    task = asyncio.get_running_loop().create_task(control.reload())
    task.add_done_callback(_report_reload)


def _report_reload(task: asyncio.Task[None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None:
        log.error("reload failed, configuration unchanged: %s", error, exc_info=_unforeseen(error))


def _unforeseen(error: BaseException) -> BaseException | None:
    return None if isinstance(error, ReloadError | EngineError) else error


async def start(
    config: Config, stack: AsyncExitStack, stop: Callable[[], None], notifier: Notifier | None = None
) -> AgentControl:
    """Start every part; the stack stops them in reverse.  `stop` ends the agent; `notifier` hears of reloads."""
    watches = Watcher.check(config.watches)
    if _keeps_data(config):
        stack.callback(data_folder.Lock(Path(config.data_dir)).release)
    http_sockets = _http_sockets(config)
    dns_sockets = _dns_sockets(config)
    clock = SteadyClock()
    clock.start(stack)
    store, engine, writer = _start_store(config, clock, stack)
    sessions = SessionClock(store, writer.commit)
    sessions.start()
    stack.callback(sessions.stop)
    tombstones.start(store, writer, clock, stack)
    tokens = agent_tokens(config)
    acl = await acl_control.start(config, store, tokens, writer.commit, clock, stack) if config.acl.enabled else None
    permits, reads = (acl_control.permits(acl, level) if acl else None for level in (WRITE, READ))
    catalog = LocalCatalog(store, writer.commit)
    local_watches = Watches()
    agent = await local.start(config, catalog, local_watches, stack, permits, reads)
    on_replaced(store.watches, agent.syncer.schedule_full_sync)
    control = AgentControl(config, agent, tokens, stop, notifier, _check_watches)
    lag = LoopLag(time.monotonic)
    lag.start()
    stack.callback(lag.stop)
    context = Context(
        config,
        store,
        store.watches,
        writer.commit,
        writer.commit_steps,
        writer.replace,
        sessions,
        agent,
        tokens,
        control,
        EventLog(local_watches),
        acl=acl,
        kv_history=engine.kv_history,
        loop_lag=lag,
    )
    control.followers.append(lambda fresh: setattr(context, "config", fresh))
    app = await _start_http(context, control, http_sockets, stack)
    stack.callback(local_watches.close)  # before the HTTP server stops: it waits for blocking queries
    responder = await _start_dns(context, control, dns_sockets, stack)
    if acl is not None:
        acl_control.follow(store, store.watches, writer.commit, responder.forget, agent.syncer.full_sync)
    watcher = Watcher(asker(app))
    watcher.use(watches)
    stack.push_async_callback(watcher.stop)
    control.followers.append(lambda fresh: watcher.use(Watcher.check(fresh.watches)))
    return control


def _start_store(config: Config, clock: SteadyClock, stack: AsyncExitStack) -> tuple[Store, Engine, Writer]:
    """Read what is kept, and take writes from now on."""
    engine = _engine(config)
    loaded = engine.load()
    if _keeps_data(config):
        _accept_file(config).unlink(missing_ok=True)
    stack.push_async_callback(engine.close)
    rows = lock_delays.resumed(loaded.rows, clock())
    store = Store(rows, loaded.index or FIRST_INDEX, named=loaded.named, floor=max(loaded.floor, FIRST_INDEX))
    writer = Writer(store, engine, clock)
    stack.push_async_callback(writer.drain)
    return store, engine, writer


async def _start_http(
    context: Context, control: AgentControl, sockets: list[socket.socket], stack: AsyncExitStack
) -> App:
    app = App(context, ROUTES, AnswerCache(context.watches))
    control.followers.append(app.configure)
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
) -> Responder:
    config, view = context.config, context.view
    ask = query_executor(view, config.node_name, config.datacenter, context.rng)
    sight = acl_control.sight(context.acl) if context.acl else Sight()
    responder = Responder(
        view, context.watches, settings_of(config), execute_query=acl_control.seen(ask, sight), sight=sight
    )
    control.followers.append(lambda fresh: responder.reconfigure(settings_of(fresh)))
    server = DNSServer(responder, *sockets)
    await server.start()
    stack.push_async_callback(server.stop)
    return responder


def _check_watches(config: Config) -> None:
    """Raises ReloadError."""
    try:
        Watcher.check(config.watches)
    except WatchError as error:
        raise ReloadError(f"Failed reloading watches: {error}") from None


def _engine(config: Config) -> Engine:
    history = Retention(
        config.kv_history_versions, config.kv_history_age, config.kv_history_size, config.kv_history_exclude
    )
    if config.dev_mode:
        return MemoryEngine(history)
    if not config.data_dir:
        raise StartError(
            "nothing says where to keep the data: give -data-dir FOLDER, or -dev to keep it in memory only"
        )
    spare = EVERYTHING if _accept_file(config).exists() else NOTHING
    return EmbeddedEngine(Path(config.data_dir) / "state.db", ALL, history, spare=spare)


def _accept_file(config: Config) -> Path:
    """The file by which an operator accepts a damaged `state.db`, once."""
    return Path(config.data_dir, ACCEPT)


def _keeps_data(config: Config) -> bool:
    return bool(config.data_dir) and not config.dev_mode


def _http_limits(config: Config, connections_per_client: Callable[[], int]) -> Limits:
    limits = Limits(connections_per_client=connections_per_client)
    if config.http_config.max_header_bytes:
        # Go's server adds 4096 bytes, too; more than the default would break the promise of 256 KB a connection.
        limits.head = min(config.http_config.max_header_bytes + 4096, limits.head)
    return limits


def _http_sockets(config: Config) -> list[socket.socket]:
    sockets = []
    owner = listeners.Owner(config.unix_sockets.user, config.unix_sockets.group, config.unix_sockets.mode)
    if config.ports.http > 0:
        for address in (config.addresses.http or config.client_addr).split():
            if address.startswith("unix://"):
                sockets.append(listeners.unix(address.removeprefix("unix://"), owner))
            else:
                sockets.append(listeners.tcp(address, config.ports.http, "-http-port"))
    return sockets


def _dns_sockets(config: Config) -> tuple[list[socket.socket], list[socket.socket]]:
    """The sockets of the DNS server: UDP, and TCP."""
    if config.ports.dns <= 0:
        return [], []
    hosts = (config.addresses.dns or config.client_addr).split()
    port = config.ports.dns
    return [listeners.udp(host, port, "-dns-port") for host in hosts], [
        listeners.tcp(host, port, "-dns-port") for host in hosts
    ]
