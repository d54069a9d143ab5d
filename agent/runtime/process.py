"""The agent's process: starts the mode that the settings ask for, follows signals, and returns the exit status."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Protocol

import uvloop

from pyconsul.agent.common.process.sd_notify import Notifier
from pyconsul.agent.config.config import Config
from pyconsul.agent.config.problems import ReloadError
from pyconsul.agent.config.sections.cluster import Mode
from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.runtime import reload_watch
from pyconsul.agent.runtime.data.data_folder import DataFolderError
from pyconsul.agent.runtime.gossip.lan import GossipError
from pyconsul.agent.runtime.listeners import ListenError
from pyconsul.agent.runtime.reload import AgentControl
from pyconsul.agent.runtime.summary import summary
from pyconsul.agent.sync.definition_loader import FileDefinitionError
from pyconsul.agent.watches.definition import WatchError

Start = Callable[[Config, AsyncExitStack, Callable[[int], None], Notifier], Awaitable[AgentControl]]
LEAVE_TIMEOUT_S = 15.0
HAND_OVER_TIMEOUT_S = 2.0

log = logging.getLogger("agent")


class StartError(Exception):
    """The agent cannot start; the text says why and what to change."""


def run(config: Config) -> int:
    """Run an agent until it is told to stop; return the exit status of the program."""
    try:
        return uvloop.run(_serve(config))
    except FileDefinitionError as error:
        log.error("Error starting agent", extra={"fields": {"error": error.reason}})
        log.error("the definition is in %s", error.source)
        return 1
    except WatchError as error:
        log.error("Error starting agent", extra={"fields": {"error": str(error)}})
        return 1
    except GossipError as error:
        log.error("Error starting agent", extra={"fields": {"error": str(error)}})
        if error.hint:
            log.error("%s", error.hint)
        return 1
    except (StartError, EngineError, ListenError, DataFolderError) as error:
        log.error("%s", error)
        return 1


class Pools(Protocol):
    """The gossip pools of the agent."""

    async def leave_pools(self) -> None: ...
    async def prepare_end(self) -> None: ...


class Ending:
    """The end of the agent: by `stop`, or by signals, after which it leaves its pool or not; exit statuses are Consul's."""

    def __init__(self) -> None:
        self._asked, self._signalled_again = asyncio.Event(), asyncio.Event()
        self._status, self._leaves = 0, False

    def stop(self, status: int) -> None:
        """End the agent with an exit status."""
        if not self._asked.is_set():
            self._status = status
            self._asked.set()

    def signal(self, leaves: bool) -> None:
        """Handle a signal that ends the agent. `leaves`: first leave the pool; a second signal ends that."""
        if self._asked.is_set():
            self._signalled_again.set()
        else:
            self._leaves = leaves
            self.stop(0 if leaves else 1)

    async def wait(self) -> None:
        """Wait until the agent is to end."""
        await self._asked.wait()

    async def leave(self, pools: Pools) -> int:
        """Leave the pools if a signal asked for it; return the exit status."""
        if not self._leaves:
            return self._status
        log.info("Gracefully shutting down agent...")
        loop = asyncio.get_running_loop()
        leave, signalled = loop.create_task(pools.leave_pools()), loop.create_task(self._signalled_again.wait())
        try:
            await asyncio.wait({leave, signalled}, timeout=LEAVE_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
            if leave.done():
                await leave
                return self._status
        finally:
            leave.cancel()
            signalled.cancel()
        log.warning("Caught second signal, Exiting" if signalled.done() else "Timeout on graceful leave. Exiting")
        return 1


async def _serve(config: Config) -> int:
    """Serve until a signal or a request ends the agent; return the exit status."""
    ending = Ending()
    loop = asyncio.get_running_loop()
    notifier = Notifier.take(os.environ)
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # started with & by a script
        signal.signal(signal.SIGINT, signal.default_int_handler)
    loop.add_signal_handler(signal.SIGTERM, ending.signal, config.leave_on_terminate)
    loop.add_signal_handler(signal.SIGINT, ending.signal, not config.skip_leave_on_interrupt)
    files = reload_watch.stamps(reload_watch.watched(config))
    start = _starter(config)
    async with AsyncExitStack() as stack:
        control = await start(config, stack, ending.stop, notifier)
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
        await ending.wait()
        notifier.stopping()
        status = await ending.leave(control)
        await _prepare_end(control)
        log.info("stopping")
    return status


async def _prepare_end(pools: Pools) -> None:
    """Hand over what others can go on with, within a time limit."""
    try:
        await asyncio.wait_for(pools.prepare_end(), HAND_OVER_TIMEOUT_S)
    except TimeoutError:
        log.warning("the leadership was not handed over within %g s", HAND_OVER_TIMEOUT_S)


def _starter(config: Config) -> Start:
    """Return what starts the mode that the settings ask for.  Raises StartError."""
    if config.mode is Mode.DEVELOPMENT:
        from pyconsul.agent.runtime.modes import development

        return development.start
    if not config.data_dir:
        raise StartError(
            "nothing says where to keep the data: give -data-dir FOLDER, or -dev to keep it in memory only"
        )
    if config.mode is Mode.CLIENT_AGENT:
        from pyconsul.agent.runtime.modes import client_agent

        return client_agent.start
    from pyconsul.agent.runtime.modes import server

    return server.start


def _reload_soon(control: AgentControl) -> None:
    task = asyncio.get_running_loop().create_task(control.reload())
    task.add_done_callback(_report_reload)


def _report_reload(task: asyncio.Task[None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None:
        log.error("reload failed, configuration unchanged: %s", error, exc_info=_unexpected(error))


def _unexpected(error: BaseException) -> BaseException | None:
    """Return an error whose traceback is worth logging."""
    return None if isinstance(error, ReloadError | EngineError) else error
