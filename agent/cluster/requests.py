"""Responds to what other servers ask about the cluster."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import msgspec

from pyconsul.agent.cluster.founding.founder import Founder
from pyconsul.agent.cluster.joining.guest import Guest
from pyconsul.agent.cluster.messages import (
    NAMES,
    PATH,
    Answer,
    BallotState,
    Defragmentation,
    Dismissal,
    Invitation,
    Message,
    RecoveryAsked,
    RefusalAsked,
    Reply,
    StateAsked,
    SurveyAsked,
    VoteAsked,
)
from pyconsul.agent.cluster.recovery import Recovery
from pyconsul.agent.cluster.upkeep import defragment
from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.httpapi.server.contract import HTTPRequest, Response
from pyconsul.agent.rpc.contract import Peer

if TYPE_CHECKING:
    from pyconsul.agent.cluster.cluster import ServerCluster

_JSON = ((b"Content-Type", b"application/json"),)
_TEXT = ((b"Content-Type", b"text/plain; charset=utf-8"),)

log = logging.getLogger("agent.cluster")


class Requests:
    """The requests below /v1/pyconsul/cluster/; only servers of the same datacenter may make them."""

    def __init__(self, cluster: ServerCluster, founder: Founder, guest: Guest, recovery: Recovery) -> None:
        self._cluster, self._founder, self._guest, self._recovery = cluster, founder, guest, recovery
        self._reported: set[str] = set()

    async def serve(self, request: HTTPRequest, peer: Peer) -> Response:
        """Respond to one request."""
        if not peer.is_server or peer.datacenter != self._cluster.own.datacenter:
            return _refusal(403, "only servers of this datacenter may ask this")
        kind = NAMES.get(request.target.decode(errors="replace").partition("?")[0].removeprefix(PATH))
        if kind is None or request.method != "POST":
            return _refusal(404, f"unknown request: {request.method} {request.target.decode(errors='replace')}")
        try:
            message = msgspec.json.decode(request.body, type=kind)
        except msgspec.MsgspecError as error:
            return _refusal(400, f"the request cannot be read: {error}")
        try:
            return Response(200, msgspec.json.encode(await self._answer(message, peer)), _JSON)
        except EngineError as error:
            return _refusal(500, str(error))

    async def _answer(self, message: Message, peer: Peer) -> Answer:
        cluster = self._cluster
        if isinstance(message, StateAsked):
            self._report_other_cluster(message, peer)
            return cluster.state()
        if isinstance(message, VoteAsked | RefusalAsked):
            if cluster.state().has_state:
                return BallotState(cluster_id=cluster.cluster_id or cluster.own.node_id)
            return (
                self._founder.asked_to_vote(message)
                if isinstance(message, VoteAsked)
                else self._founder.asked_to_refuse(message)
            )
        if isinstance(message, Invitation):
            return await self._guest.invited(message, peer)
        if isinstance(message, Dismissal):
            return await self._guest.dismissed(message, peer)
        if isinstance(message, Defragmentation):
            return await self._defragment(message)
        if isinstance(message, SurveyAsked):
            return await self._recovery.inspect(message)
        if isinstance(message, RecoveryAsked):
            return await self._recovery.go_on(message)
        return await self._recovery.recovered(message)

    async def _defragment(self, message: Defragmentation) -> Reply:
        phase = self._cluster.phase
        local = None if phase is None else phase.local
        if local is None:
            return Reply("this server has no etcd member")
        await defragment(local, even_if_small=message.even_if_small)
        return Reply()

    def _report_other_cluster(self, message: StateAsked, peer: Peer) -> None:
        """Say once in the log that another cluster wants to add this server, which has a state already."""
        own = self._cluster.state()
        is_same = bool(own.cluster_id) and own.cluster_id == message.cluster_id
        if not message.leads or not own.has_state or is_same or own.cluster_id in message.replaced:
            return
        if peer.name not in self._reported:
            self._reported.add(peer.name)
            log.warning(
                "server %s leads another cluster (%s) and cannot add this server, which has a state already (%s): to join"
                " it, stop this agent, move its data folder away, and start it again without bootstrap",
                peer.name, message.cluster_id or "one server alone", own.cluster_id or "one server alone",
            )  # fmt: skip


def _refusal(status: int, text: str) -> Response:
    return Response(status, text.encode(), _TEXT)
