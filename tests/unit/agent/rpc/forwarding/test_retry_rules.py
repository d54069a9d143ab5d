"""The rules of what is sent again, against servers that fail in every way: a write is never carried out twice."""

from __future__ import annotations

import asyncio
import random
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyconsul.agent.engine.contract import Passed
from pyconsul.agent.gossip.consul.tags import Server
from pyconsul.agent.httpapi.core.forwarding.standing import Scope
from pyconsul.agent.httpapi.server.contract import HTTPRequest, Response
from pyconsul.agent.rpc.contract import Lost, NotSent, Peer, RPCError
from pyconsul.agent.rpc.forwarding import server_requests
from pyconsul.agent.rpc.forwarding.server_choice import ServerChoice
from pyconsul.agent.rpc.forwarding.server_requests import LEADER, NoServers, ServerRequests

NAMES = ("s1", "s2", "s3")


class Fate(NamedTuple):
    """The fate of one request: whether it is carried out, and how it ends for the caller."""

    executed: bool
    end: str


FATES = (
    Fate(True, "answered"),
    Fate(False, "refused"),  # nobody carries it out
    Fate(True, "lost"),
    Fate(False, "lost"),
)


class Servers:
    """Servers whose requests have the given fates, in order; then all are answered.

    executed: the servers that have carried a request out, once for each time.
    """

    def __init__(self, fates: list[Fate], leader: str) -> None:
        self.fates, self.leader, self.alive = list(fates), leader, list(NAMES)
        self.executed: list[str] = []
        self.asked: list[str] = []

    def all(self) -> list[Server]:
        return [Server(name, name, "dc1", "10.0.0.1", 8300, 0, "", False, 0, False) for name in self.alive]

    def find(self, node_id: str) -> Server | None:
        return next((server for server in self.all() if server.node_id == node_id), None)

    def subscribe(self, listener: object, /) -> object:
        return None

    async def ask(self, node_id: str, request: HTTPRequest) -> Response:
        self.asked.append(node_id)
        fate = self.fates.pop(0) if self.fates else FATES[0]
        if fate.executed:
            self.executed.append(node_id)
        if fate.end == "silent":
            await asyncio.get_running_loop().create_future()
        if fate.end == "refused":
            raise NotSent("not the leader")
        if fate.end == "lost":
            raise Lost("connection reset")
        return Response(200, b"true", ((LEADER, self.leader.encode()),))


class Peers:
    """The same as `Peers`; no other agent is connected."""

    def __init__(self, servers: Servers) -> None:
        self.ask = servers.ask

    def find(self, name: str) -> Peer | None:
        return None


class Away:
    """The standing of a client agent, or of a server that does not lead."""

    always_current, last_contact_ms, has_state = True, 0, False

    def __init__(self, knows_leader: bool = True) -> None:
        self.knows_leader = knows_leader

    def serves(self, scope: Scope) -> bool:
        return scope == "local"

    def barrier(self) -> None:
        return None

    def after_barrier(self, passed: Passed) -> None:
        asyncio.get_running_loop().call_soon(passed, None)


def requests(
    servers: Servers, hold_s: float = 60.0, *, server: bool = False, known: str | None = None
) -> ServerRequests:
    """known: the leader as a server knows it, if that is another one, or none."""
    leader = (lambda: servers.leader if known is None else known) if server else None
    standing = Away(knows_leader=known is None)
    return ServerRequests(
        servers, Peers(servers), standing, own_id="me", leader=leader, hold_s=lambda: hold_s, rng=random.Random(1)
    )  # type: ignore[arg-type]


@pytest.fixture(autouse=True, scope="module")
def soon() -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server_requests, "FIRST_WAIT_S", 0.0)
        patch.setattr(server_requests, "LAST_WAIT_S", 0.0)
        yield


async def outcome(servers: Servers, scope: Scope, *, server: bool) -> Response | RPCError:
    try:
        return await requests(servers, server=server)(scope, HTTPRequest("PUT", b"/v1/kv/a", {}))
    except RPCError as error:
        return error


@settings(max_examples=300, deadline=None)
@given(fates=st.lists(st.sampled_from(FATES), max_size=8), leader=st.sampled_from(NAMES), server=st.booleans())
def test_a_write_is_carried_out_once_at_most_and_answered_if_it_was_not_lost(
    fates: list[Fate], leader: str, server: bool
) -> None:
    servers = Servers(fates, leader)
    ended = asyncio.run(outcome(servers, "write", server=server))
    assert len(servers.executed) <= 1
    first = next((fate for fate in fates if fate.end != "refused"), FATES[0])
    if first.end == "lost":
        assert isinstance(ended, Lost)
        assert len(servers.executed) == first.executed
    else:
        assert isinstance(ended, Response)
        assert len(servers.executed) == 1


@settings(max_examples=200, deadline=None)
@given(fates=st.lists(st.sampled_from(FATES), max_size=8), leader=st.sampled_from(NAMES))
def test_a_read_is_asked_until_a_server_answers(fates: list[Fate], leader: str) -> None:
    servers = Servers(fates, leader)
    ended = asyncio.run(outcome(servers, "read", server=False))
    assert isinstance(ended, Response)
    answered = next((number for number, fate in enumerate(fates) if fate.end == "answered"), len(fates))
    assert len(servers.asked) == answered + 1
    assert (
        set(servers.asked[:3]) == set(servers.asked) or len(servers.asked) < 3
    )  # each is tried before one is tried again


@settings(max_examples=100, deadline=None)
@given(fates=st.lists(st.sampled_from(FATES[1:]), min_size=1, max_size=3))
def test_a_body_that_streams_is_sent_once(fates: list[Fate]) -> None:
    async def parts():  # type: ignore[no-untyped-def]
        yield b"part"

    async def run() -> None:
        request = HTTPRequest("PUT", b"/v1/snapshot", {}, stream=parts())
        with pytest.raises(RPCError):
            await requests(servers)("write", request)

    servers = Servers(fates, "s1")
    asyncio.run(run())
    assert len(servers.asked) == 1


async def test_without_servers_a_client_agent_does_not_wait() -> None:
    servers = Servers([], "")
    servers.alive = []
    with pytest.raises(NoServers):
        await requests(servers)("read", HTTPRequest("GET", b"/v1/kv/a", {}))


async def test_a_server_without_others_waits_for_a_leader_as_long_as_it_may() -> None:
    servers = Servers([], "")
    servers.alive = []
    with pytest.raises(NotSent, match="No cluster leader"):
        await requests(servers, 0.01, server=True)("write", HTTPRequest("PUT", b"/v1/kv/a", {}))
    assert not servers.asked


async def test_a_client_agent_stays_with_its_server_until_that_fails() -> None:
    servers = Servers([], "s1")
    asking = requests(servers)
    for _ in range(5):
        await asking("read", HTTPRequest("GET", b"/v1/kv/a", {}))
    (first,) = set(servers.asked)
    servers.fates = [FATES[1]]
    await asking("read", HTTPRequest("GET", b"/v1/kv/a", {}))
    servers.asked.clear()
    await asking("read", HTTPRequest("GET", b"/v1/kv/a", {}))
    assert servers.asked[0] != first


async def test_after_a_while_another_server_may_be_preferred() -> None:
    now = [0.0]

    choice = ServerChoice(Servers([], ""), "me", lambda: now[0], random.Random(3))  # type: ignore[arg-type]
    preferred = set()
    for _ in range(20):
        preferred.add(choice.next())
        now[0] += 181
    assert preferred == set(NAMES)


async def test_a_read_is_asked_elsewhere_when_a_server_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_requests, "PATIENCE_S", (0.01, 0.02))
    servers = Servers([Fate(False, "silent")] * 2, "s1")
    await requests(servers)("read", HTTPRequest("GET", b"/v1/kv/a", {}))
    assert sorted(servers.asked) == ["s1", "s2", "s3"]


@pytest.mark.parametrize(
    ("scope", "method", "target"),
    [("write", "PUT", b"/v1/kv/a"), ("read", "GET", b"/v1/kv/a?index=7"), ("read", "GET", b"/v1/snapshot?stale")],
)
async def test_a_write_and_a_read_that_takes_time_have_all_of_it(
    scope: Scope, method: str, target: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_requests, "PATIENCE_S", (0.0, 0.0))
    servers = Servers([Fate(False, "silent")], "s1")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await requests(servers)(scope, HTTPRequest(method, target, {}))
    assert len(servers.asked) == 1


@pytest.mark.parametrize("known", ["", "me"])
async def test_a_server_without_a_quorum_learns_the_leader_from_the_others(known: str) -> None:
    """Its own etcd has ended; it knows no leader, or still takes itself for it."""
    servers = Servers([FATES[1]], NAMES[1])
    sender = requests(servers, server=True, known=known)
    assert (await sender("write", HTTPRequest("PUT", b"/v1/kv/a", {}))).body == b"true"
    assert (await sender("write", HTTPRequest("PUT", b"/v1/kv/a", {}))).body == b"true"
    assert servers.asked[-1] == NAMES[1]  # the server that the response named
