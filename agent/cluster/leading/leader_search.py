"""Finds out who leads, while this server has no state: it waits for a cluster, or for its vote.

Then it passes requests on, and is asked for the leader like any other server.
"""

from __future__ import annotations

import asyncio
import logging

from pyconsul.agent.cluster.colleagues import Colleagues, NoAnswer
from pyconsul.agent.cluster.leading.phased import PhasedLeadership
from pyconsul.agent.cluster.messages import ServerState, StateAsked
from pyconsul.agent.duties.task_duty import TaskDuty
from pyconsul.agent.rpc.contract import Servers

PERIOD_S = 0.5  # between two questions
ANSWER_S = 1.0  # that an answer may take

log = logging.getLogger("agent.leader")


class LeaderSearch(TaskDuty):
    """Asks the other servers of the datacenter."""

    def __init__(self, node_id: str, leadership: PhasedLeadership, servers: Servers, colleagues: Colleagues) -> None:
        self._node_id, self._leadership = node_id, leadership
        self._servers, self._colleagues = servers, colleagues

    async def run(self) -> None:
        """Ask again and again, until it is cancelled."""
        while True:
            outside = self._leadership.outside
            if outside is not None:
                outside.learn(await self._find())
            await asyncio.sleep(PERIOD_S)

    async def _find(self) -> str:
        """Return the leader of which a server with a state knows; of several answers, that of the leader itself counts."""
        others = [server.node_id for server in self._servers.all() if server.node_id != self._node_id]
        answers = dict(zip(others, await asyncio.gather(*map(self._ask, others)), strict=True))
        own = (node_id for node_id, leader in answers.items() if node_id == leader)
        return next(own, "") or next(filter(None, answers.values()), "")

    async def _ask(self, node_id: str) -> str:
        try:
            async with asyncio.timeout(ANSWER_S):
                return (await self._colleagues.ask(node_id, StateAsked(), ServerState)).leader
        except (NoAnswer, TimeoutError) as error:
            log.debug("server %s does not tell who leads: %s", node_id, error)
            return ""
