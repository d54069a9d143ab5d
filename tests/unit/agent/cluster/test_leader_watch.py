"""A follower notices within a moment that the leader does not answer."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from support.eventually import eventually_async

from pyconsul.agent.cluster.colleagues import Colleagues
from pyconsul.agent.cluster.leading import leader_watch
from pyconsul.agent.cluster.leading.leader_watch import LeaderWatch
from pyconsul.agent.cluster.messages import ServerState
from pyconsul.agent.httpapi.server.contract import HTTPRequest, Response
from pyconsul.agent.rpc.contract import NotSent, Peer


class ScriptedServers:
    """The other servers, the etcd of this one and its leadership.  silent: whom it takes for silent, whenever it was set.

    has_quorum: of the etcd of this server.  leader_has_quorum: as the leader tells.
    """

    def __init__(self) -> None:
        self.leader = "n1"
        self.has_quorum = self.leader_has_quorum = True
        self.answers: dict[str, bool | None] = {}  # None: never
        self.asked: list[str] = []
        self.silent: list[str] = []

    @property
    def leadership(self) -> ScriptedServers:
        return self

    def find(self, name: str) -> Peer | None:
        return None

    async def ask(self, node_id: str, request: HTTPRequest) -> Response:
        self.asked.append(node_id)
        if self.answers.get(node_id, True) is None:
            await asyncio.get_running_loop().create_future()
        if not self.answers.get(node_id, True):
            raise NotSent("connection refused")
        return Response(200, msgspec.json.encode(ServerState("c", True, False, has_quorum=self.leader_has_quorum)))

    def set_silent(self, node_id: str) -> None:
        self.silent.append(node_id)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leader_watch, "PERIOD_S", 0.001)
    monkeypatch.setattr(leader_watch, "ANSWER_S", 0.01)


@pytest.mark.parametrize("answer", [False, None])
async def test_a_leader_that_misses_two_questions_is_silent_until_it_answers(answer: bool | None) -> None:
    servers = ScriptedServers()
    watch = LeaderWatch("n0", Colleagues(servers), lambda: servers)
    await watch.start()
    await eventually_async(lambda: servers.silent[-1:] == [""])
    servers.answers["n1"] = answer
    await eventually_async(lambda: servers.silent[-1] == "n1")
    servers.answers["n1"] = True
    await eventually_async(lambda: servers.silent[-1] == "")
    await watch.stop()


async def test_a_leader_without_a_quorum_that_this_server_has_is_silent() -> None:
    servers = ScriptedServers()
    watch = LeaderWatch("n0", Colleagues(servers), lambda: servers)
    await watch.start()
    servers.has_quorum = servers.leader_has_quorum = False
    await eventually_async(lambda: len(servers.silent) > 2 * leader_watch.POWERLESS)
    assert set(servers.silent) == {""}
    servers.has_quorum = True
    await eventually_async(lambda: servers.silent[-1] == "n1")
    servers.leader_has_quorum = True
    await eventually_async(lambda: servers.silent[-1] == "")
    await watch.stop()


async def test_a_new_leader_begins_without_misses() -> None:
    servers = ScriptedServers()
    servers.answers = {"n1": False, "n2": True}
    watch = LeaderWatch("n0", Colleagues(servers), lambda: servers)
    await watch.start()
    await eventually_async(lambda: "n1" in servers.silent)
    servers.leader = "n2"
    await eventually_async(lambda: servers.silent[-1] == "")
    assert "n2" not in servers.silent
    await watch.stop()


async def test_a_server_that_leads_itself_asks_nobody() -> None:
    servers = ScriptedServers()
    servers.leader = "n0"
    watch = LeaderWatch("n0", Colleagues(servers), lambda: servers)
    await watch.start()
    for _ in range(50):
        await asyncio.to_thread(lambda: None)
    assert servers.asked == []
    await watch.stop()
