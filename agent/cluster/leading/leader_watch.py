"""Asks the server that leads, again and again, whether it is there.  Gossip would notice its death after some seconds only.

A leader whose own etcd does not answer (its disk is full, its process ends again and again) counts as silent, too, while the etcd
of this server has a quorum: nothing can be written through it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from pyconsul.agent.cluster.colleagues import Colleagues, NoAnswer
from pyconsul.agent.cluster.messages import ServerState, StateAsked
from pyconsul.agent.duties.task_duty import TaskDuty

PERIOD_S = 0.4  # between two questions
ANSWER_S = 0.5  # that the answer may take
MISSES = 2  # in a row, after which the leader counts as silent
#: Answers in a row that tell of no quorum.  More than misses: after an election all learn of the new quorum within half a second.
POWERLESS = 4

log = logging.getLogger("agent.leader")


class Leadership(Protocol):
    """The leadership of a server in a cluster; see `leadership.EtcdLeadership`."""

    @property
    def leader(self) -> str: ...
    def set_silent(self, node_id: str) -> None: ...


class Phase(Protocol):
    """The etcd of a server; see `etcd_phase.EtcdPhase`."""

    @property
    def leadership(self) -> Leadership: ...
    @property
    def has_quorum(self) -> bool: ...


class LeaderWatch(TaskDuty):
    """Watches the leader from one of the other servers.  phase: the etcd of this server, while it is in a cluster."""

    def __init__(self, node_id: str, colleagues: Colleagues, phase: Callable[[], Phase | None]) -> None:
        self._node_id, self._colleagues, self._phase = node_id, colleagues, phase

    async def run(self) -> None:
        """Watch the leader, until it is cancelled."""
        watched, misses, powerless = "", 0, 0
        while True:
            await asyncio.sleep(PERIOD_S)
            phase = self._phase()
            leader = "" if phase is None else phase.leadership.leader
            if phase is None or leader in ("", self._node_id):
                continue
            if leader != watched:
                watched, misses, powerless = leader, 0, 0
            state = await self._ask(leader)
            misses = misses + 1 if state is None else 0
            can_write = state is None or state.has_quorum or not phase.has_quorum
            powerless = 0 if can_write else powerless + 1
            phase.leadership.set_silent(leader if misses >= MISSES or powerless >= POWERLESS else "")

    async def _ask(self, leader: str) -> ServerState | None:
        """Return the state of the leader; None without an answer."""
        try:
            async with asyncio.timeout(ANSWER_S):
                return await self._colleagues.ask(leader, StateAsked(), ServerState)
        except (NoAnswer, TimeoutError) as error:
            log.debug("the leader does not answer: node_id=%s: %s", leader, error)
            return None
