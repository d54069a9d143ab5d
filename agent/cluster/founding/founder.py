"""Takes the steps of the founding: asks the other servers, stores the ballot before it sends anything, logs whom it waits for."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Sequence
from typing import TypeVar

from pyconsul.agent.cluster.colleagues import Colleagues, NoAnswer
from pyconsul.agent.cluster.founding import rules
from pyconsul.agent.cluster.founding.ballot import Ballot, Proposal
from pyconsul.agent.cluster.founding.rules import Candidate, Collect, GiveUp, TakeBack, Wait
from pyconsul.agent.cluster.messages import BallotState, Message, RefusalAsked, ServerState, StateAsked, VoteAsked
from pyconsul.agent.cluster.record import RecordFile
from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.gossip.consul.tags import Server

PERIOD_S = 0.3
REPEAT_S = 60.0  # before the same message is logged again

log = logging.getLogger("agent.cluster")
T = TypeVar("T")


class Founder:
    """One server among those that found a cluster."""

    def __init__(
        self,
        own: Server,
        expect: int,
        file: RecordFile,
        servers: Callable[[], Sequence[Server]],
        colleagues: Colleagues,
        check: Callable[[], object],
    ) -> None:
        """servers: returns those of the datacenter that are alive.  check: raises EngineError if etcd cannot be run."""
        self._own, self._expect, self._file = own, expect, file
        self._servers, self._colleagues, self._check = servers, colleagues, check
        self._logged = ""
        self._logged_at = 0.0
        self._found_all = False

    async def run(self) -> bool:
        """Take one step; returns whether this server has founded a cluster."""
        try:
            if self._expect:
                self._check()
            alive = await self._alive()
            step = rules.next_step(
                self._candidate(self._own), self._ballot, alive
            )  # no wait until the ballot is stored
            if isinstance(step, Wait):
                self._log(step.reason, logging.ERROR if step.is_error else logging.INFO)
            elif isinstance(step, GiveUp):
                self._store(step.ballot)
            elif isinstance(step, TakeBack):
                await self._take_back(step.proposal)
            else:
                return await self._collect(step)
        except NoAnswer as error:
            self._log(f"cannot found a cluster yet: {error}")
        except EngineError as error:
            self._log(str(error), logging.ERROR)
        except Exception as error:
            self._log(f"cannot found a cluster yet: {error!r}", logging.ERROR)
        return False

    # --- what others ask

    def asked_to_vote(self, message: VoteAsked) -> BallotState:
        """Vote, or not.  Raises EngineError."""
        if not self._file.record.cluster_id:
            self._store(self._ballot.asked_to_vote(message.proposal))
        return self._state_for(message.proposal)

    def asked_to_refuse(self, message: RefusalAsked) -> BallotState:
        """Refuse a proposal, or not.  Raises EngineError."""
        if not self._file.record.cluster_id:
            self._store(self._ballot.asked_to_refuse(message.proposal))
        return self._state_for(message.proposal)

    def _state_for(self, proposal: Proposal) -> BallotState:
        ballot = self._ballot
        return BallotState(ballot.vote == proposal, ballot.refuses(proposal), self._file.record.cluster_id)

    # --- steps

    @property
    def _ballot(self) -> Ballot:
        return self._file.record.ballot

    def _store(self, ballot: Ballot) -> None:
        self._file.change(ballot=ballot)

    def _candidate(self, server: Server, has_state: bool = False) -> Candidate:
        expect = self._expect if server.node_id == self._own.node_id else server.expect
        return Candidate(server.node_id, server.name, expect, has_state or server.is_bootstrapped)

    async def _alive(self) -> list[Candidate]:
        """Return the servers that are alive, with what they say of their state where that matters.  Raises NoAnswer."""
        others = [server for server in self._servers() if server.node_id != self._own.node_id]
        found = [self._candidate(self._own), *map(self._candidate, others)]
        if not self._expect or len(found) < self._expect or any(server.has_state for server in found):
            return found
        agree = all(server.expect in (0, self._expect) for server in found)
        if agree and not self._found_all:
            self._found_all = True
            peers = ",".join(f"{server.address}:{server.port}" for server in (self._own, *others))
            log.info("Found expected number of peers, attempting bootstrap: peers=%s", peers)
        states = await self._ask_all([server.node_id for server in others], StateAsked(), ServerState)
        return [found[0], *(self._candidate(server, states[server.node_id].has_state) for server in others)]

    async def _ask_all(self, servers: Sequence[str], message: Message, answer: type[T]) -> dict[str, T]:
        """Ask servers at the same time.  Raises NoAnswer for the first one that does not answer."""

        async def ask(node_id: str) -> T:
            try:
                return await self._colleagues.ask(node_id, message, answer)
            except NoAnswer as error:
                raise NoAnswer(f"server {self._name(node_id)} does not answer: {error}") from error

        answers = await asyncio.gather(*map(ask, servers))
        return dict(zip(servers, answers, strict=True))

    async def _collect(self, step: Collect) -> bool:
        proposal = step.proposal
        self._store(step.ballot)
        others = [node_id for node_id in proposal.electorate if node_id != self._own.node_id]
        answers = await self._ask_all(others, VoteAsked(proposal), BallotState)
        if self._ballot.vote != proposal or self._file.record.cluster_id:
            return False  # given up, or added to a cluster meanwhile
        if all(answer.votes and not answer.cluster_id for answer in answers.values()):
            own = self._own.node_id
            self._file.change(cluster_id=secrets.token_hex(8), is_founder=True, members=(own,))
            log.info("founding a cluster: all %d servers have voted for this one", len(proposal.electorate))
            return True
        if any(answer.refuses for answer in answers.values()):
            self._store(self._ballot.take_back())
            return False
        missing = [self._name(node_id) for node_id, answer in answers.items() if not answer.votes]
        self._log(f"waiting for the votes of servers {', '.join(missing)}: they have voted for another server")
        return False

    async def _take_back(self, proposal: Proposal) -> None:
        """Take the vote back, if a server of the electorate refuses the proposal."""
        alive = {server.node_id for server in self._servers()}
        for node_id in sorted(alive.intersection(proposal.electorate) - {self._own.node_id}):
            try:
                answer = await self._colleagues.ask(node_id, RefusalAsked(proposal), BallotState)
            except NoAnswer:
                continue
            if answer.refuses and not answer.cluster_id and self._ballot.vote == proposal:
                self._store(self._ballot.take_back())
                return
        if proposal.candidate not in alive:
            self._log(rules.waits_for(proposal), logging.WARNING)

    def _name(self, node_id: str) -> str:
        return next((server.name for server in self._servers() if server.node_id == node_id), node_id)

    def _log(self, text: str, level: int = logging.INFO) -> None:
        now = asyncio.get_running_loop().time()
        if text != self._logged or now - self._logged_at > REPEAT_S:
            log.log(level, "%s", text)
            self._logged, self._logged_at = text, now
