"""Starts the schedule of snapshots of a server, and shows it as a service, as Consul's snapshot agent does."""

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

SERVICE, CHECK_NAME = "consul-snapshot", "snapshot schedule"


class SnapshotService:
    """The service, with its check; see `Indicator`."""

    def __init__(self, agent: LocalAgent) -> None:
        self._agent = agent

    async def show(self, status: str, output: str) -> None:
        """Set the status and the output of the check."""
        await self._agent.show_own_service(SERVICE, CHECK_NAME, status, output)

    async def hide(self) -> None:
        """Remove the service."""
        await self._agent.hide_own_service(SERVICE)


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
        SnapshotService(context.agent),
        clock,
        node_id=context.config.node_id,
        address=server_address(context),
    )
    control.on_reload(lambda fresh: duty.use(settings_of(fresh)))
    running = LeaderDuties(leadership, [duty])
    stack.push_async_callback(running.stop)
    await running.start()
