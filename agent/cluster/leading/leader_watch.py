"""Asks the server that leads, again and again, whether it is there.  Gossip would notice its death after some seconds only."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from pyconsul.agent.cluster.colleagues import Colleagues, NoAnswer
from pyconsul.agent.cluster.messages import ServerState, StateAsked

PERIOD_S = 0.4  # between two questions
ANSWER_S = 0.5  # that the answer may take
MISSES = 2  # in a row, after which the leader counts as silent

log = logging.getLogger("agent.leader")


class Leadership(Protocol):
    """The leadership of a server in a cluster; see `leadership.EtcdLeadership`."""

    @property
    def leader(self) -> str: ...
    def set_silent(self, node_id: str) -> None: ...


class LeaderWatch:
    """Watches the leader from one of the other servers.  leadership: that of this server, while it is in a cluster."""

    def __init__(self, node_id: str, colleagues: Colleagues, leadership: Callable[[], Leadership | None]) -> None:
        self._node_id, self._colleagues, self._leadership = node_id, colleagues, leadership
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Watch from now on."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Watch no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        watched, misses = "", 0
        while True:
            await asyncio.sleep(PERIOD_S)
            leadership = self._leadership()
            leader = "" if leadership is None else leadership.leader
            if leadership is None or leader in ("", self._node_id):
                continue
            if leader != watched:
                watched, misses = leader, 0
            misses = 0 if await self._answers(leader) else misses + 1
            leadership.set_silent(leader if misses >= MISSES else "")

    async def _answers(self, leader: str) -> bool:
        try:
            async with asyncio.timeout(ANSWER_S):
                await self._colleagues.ask(leader, StateAsked(), ServerState)
        except (NoAnswer, TimeoutError) as error:
            log.debug("the leader does not answer: node_id=%s: %s", leader, error)
            return False
        return True
