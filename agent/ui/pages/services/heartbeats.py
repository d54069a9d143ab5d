"""The last results of checks, from the agents that run them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pyconsul.agent.filter.quote import quote
from pyconsul.agent.model.check import HealthCheck
from pyconsul.agent.model.member import MemberStatus
from pyconsul.agent.ui.visit import Visit

TIME_LIMIT_S = 1.0  # of an agent's answer
KEPT_S = 2.0  # an answer is used again for so long
MAX_ASKED = 50  # agents of one page
REFRESH_S = 5.0  # pages with heartbeats are shown again after this time
FAILING = 'Status != "passing"'  # filter expression for checks
NOT_AN_AGENT = "no agent has this name: the node belongs to the catalog only"


@dataclass(frozen=True, slots=True)
class Beat:
    """A result of a check.  time: Unix seconds."""

    time: float
    status: str
    output: str


@dataclass(slots=True)
class Heartbeats:
    """The results of the checks of some nodes.  silent: why an agent has told nothing, by the name of its node."""

    found: dict[tuple[str, str], Sequence[Beat]] = field(default_factory=dict)
    silent: dict[str, str] = field(default_factory=dict)

    def of(self, node: str, check_id: str) -> Sequence[Beat]:
        """Return the results of a check, the oldest first."""
        return self.found.get((node.lower(), check_id), ())

    def output_of(self, check: HealthCheck) -> str:
        """Return the output of a check: of its last result, where the catalog shows it later (`check_update_interval`)."""
        beats = self.of(check.node, check.check_id)
        if beats and beats[-1].status == check.status and not check.output.startswith(beats[-1].output):
            return beats[-1].output
        return check.output or (beats[-1].output if beats else "")


def of_service(service: str) -> str:
    """Return a filter expression for the checks of a service and of its nodes."""
    return f'ServiceName == {literal(service)} or ServiceName == ""'


async def heartbeats(visit: Visit, nodes: Iterable[str], wanted: str, version: int | None = 0) -> Heartbeats:
    """Return the results of the checks of some nodes; their agents are asked at the same time.

    wanted: a filter expression for checks.   version: an index; agents are asked again as soon as it is another.
    """
    named = list(dict.fromkeys(nodes))
    asked, rest = named[:MAX_ASKED], named[MAX_ASKED:]
    answers = await asyncio.gather(*(_of_node(visit, node, wanted, version) for node in asked))
    beats = Heartbeats(silent=dict.fromkeys(rest, f"only the first {MAX_ASKED} agents of a page are asked"))
    for node, answer in zip(asked, answers, strict=True):
        if isinstance(answer, str):
            beats.silent[node] = answer
        else:
            beats.found.update({(node.lower(), check_id): results for check_id, results in answer.items()})
    return beats


async def _of_node(visit: Visit, node: str, wanted: str, version: int | None) -> dict[str, Sequence[Beat]] | str:
    """Return the results by the IDs of checks, or why there are none."""
    if (reason := unreachable(visit, node)) is not None:
        return reason
    key = ("heartbeats", visit.request.token, node.lower(), wanted, version)
    return await visit.kept.shared(key, KEPT_S, lambda: _ask(visit, node, wanted))


def unreachable(visit: Visit, node: str) -> str | None:
    """Return why the agent of a node cannot be asked, as far as its gossip pool knows; None if it can be."""
    statuses = [member.status for member in visit.context.lan.members() if member.name.lower() == node.lower()]
    if not statuses:
        return NOT_AN_AGENT
    if MemberStatus.ALIVE not in statuses:
        return f"its agent is {statuses[0].name.lower()}"
    return None


async def _ask(visit: Visit, node: str, wanted: str) -> dict[str, Sequence[Beat]] | str:
    try:
        async with asyncio.timeout(TIME_LIMIT_S):
            answer = await visit.ask("GET", "/v1/agent/check/results", node=node, filter=wanted)
    except TimeoutError:
        return f"its agent did not answer within {TIME_LIMIT_S:.0f} s"
    if not answer.ok:
        return answer.text or f"its agent answered with status {answer.status}"
    return {check_id: [_beat(result) for result in results] for check_id, results in answer.json().items() if results}


def literal(text: str) -> str:
    """Return a text as the filter language takes it, which knows no escaped quotation marks."""
    return '"' + quote(text)[1:-1].replace('\\"', "\\x22") + '"'


def _beat(result: dict[str, str]) -> Beat:
    return Beat(datetime.fromisoformat(result["Time"]).timestamp(), result["Status"], result["Output"])
