"""Mode `-dev`: a server that keeps everything in memory."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack

from pyconsul.agent.common.process.sd_notify import Notifier
from pyconsul.agent.config.config import Config
from pyconsul.agent.duties.leader_duties import AlwaysLeader
from pyconsul.agent.engine.memory import MemoryEngine
from pyconsul.agent.httpapi.core.forwarding.standing import SingleServer
from pyconsul.agent.runtime import server, storage
from pyconsul.agent.runtime.network import Network
from pyconsul.agent.runtime.reload import AgentControl
from pyconsul.agent.runtime.server import Place


async def start(
    config: Config, stack: AsyncExitStack, stop: Callable[[int], None], notifier: Notifier | None = None
) -> AgentControl:
    """Start a development agent; see `server.start`."""

    async def open_place(_: Network, clock: Callable[[], float]) -> Place:
        engine = MemoryEngine(storage.history_retention(config))
        opened = await storage.load(engine, clock, stack)
        return Place(opened, AlwaysLeader(), SingleServer(), None, lambda: config.node_id)

    return await server.start(config, open_place, stack, stop, notifier)
