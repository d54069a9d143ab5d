"""Mode single server: the state is in `state.db` (SQLite) in the data folder, which one agent uses at a time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from pyconsul.agent.common.process.sd_notify import Notifier
from pyconsul.agent.config.config import Config
from pyconsul.agent.duties.leader_duties import AlwaysLeader
from pyconsul.agent.engine.embedded.engine import EmbeddedEngine
from pyconsul.agent.engine.embedded.opening import ACCEPT_ALL, ACCEPT_FILE, ACCEPT_NONE
from pyconsul.agent.runtime import data_folder, server, storage
from pyconsul.agent.runtime.network import Network
from pyconsul.agent.runtime.reload import AgentControl
from pyconsul.agent.runtime.server import Place
from pyconsul.agent.state.schemas import ALL


async def start(
    config: Config, stack: AsyncExitStack, stop: Callable[[int], None], notifier: Notifier | None = None
) -> AgentControl:
    """Lock the data folder and start a server; see `server.start`.  Also raises DataFolderError."""
    folder = Path(config.data_dir)
    stack.callback(data_folder.Lock(folder).release)

    async def open_place(_: Network, clock: Callable[[], float]) -> Place:
        accept = folder / ACCEPT_FILE  # by this file an operator accepts a damaged `state.db`, once
        accepted = ACCEPT_ALL if accept.exists() else ACCEPT_NONE
        engine = EmbeddedEngine(folder / "state.db", ALL, storage.history_retention(config), accepted=accepted)
        opened = await storage.load(engine, clock, stack)
        accept.unlink(missing_ok=True)
        return Place(opened, AlwaysLeader())

    return await server.start(config, open_place, stack, stop, notifier)
