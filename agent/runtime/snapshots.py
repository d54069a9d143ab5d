"""Starts the schedule of snapshots of a server, and shows it as a check of its node."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from pyconsul.agent.config.config import Config
from pyconsul.agent.duties.contract import Leadership
from pyconsul.agent.duties.leader_duties import LeaderDuties
from pyconsul.agent.duties.snapshots.duty import SnapshotSchedule
from pyconsul.agent.duties.snapshots.schedule import Schedule
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.handlers.servers import server_address
from pyconsul.agent.runtime.reload import AgentControl
from pyconsul.agent.sync.local_agent import LocalAgent

CHECK_ID, CHECK_NAME = "snapshot-schedule", "snapshot schedule"


class NodeCheck:
    """The check; see `Indicator`."""

    def __init__(self, agent: LocalAgent) -> None:
        self._agent = agent

    async def show(self, status: str, output: str) -> None:
        """Set the status and the output."""
        await self._agent.show_own_check(CHECK_ID, CHECK_NAME, status, output)

    async def hide(self) -> None:
        """Remove the check."""
        await self._agent.hide_own_check(CHECK_ID)


def settings_of(config: Config) -> Schedule:
    """Return the schedule that the settings ask for."""
    snapshot_schedule = config.snapshot_schedule
    folder = Path(snapshot_schedule.dir) if snapshot_schedule.dir else Path(config.data_dir) / "snapshots"
    return Schedule(snapshot_schedule.interval, snapshot_schedule.retain, folder)


async def start(
    context: Context, control: AgentControl, leadership: Leadership, clock: Callable[[], float], stack: AsyncExitStack
) -> None:
    """Let this server save snapshots while it leads; a reload takes other settings."""
    duty = SnapshotSchedule(
        context.view,
        settings_of(context.config),
        NodeCheck(context.agent),
        clock,
        node_id=context.config.node_id,
        address=server_address(context),
    )
    control.on_reload(lambda fresh: duty.use(settings_of(fresh)))
    running = LeaderDuties(leadership, [duty])
    stack.push_async_callback(running.stop)
    await running.start()
