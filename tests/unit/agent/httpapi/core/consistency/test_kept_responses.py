"""Responses that a server of a cluster keeps: sent again only after a barrier, unless the client accepts an older state."""

from __future__ import annotations

import base64
import json

from support.eventually import one_turn
from support.joined_agents import JoinedAgent, JoinedAgents

from pyconsul.agent.httpapi.server.contract import Wire
from pyconsul.agent.state import kv

KEY = b"/v1/kv/a"


async def server_with(value: bytes, agents: JoinedAgents | None = None) -> JoinedAgent:
    """Return a follower that keeps its response for a key."""
    agent = (agents or JoinedAgents())["s2"]
    await agent.writer.commit(lambda txn: kv.put(txn, "a", value, 0))
    assert (await agent.request("GET", KEY.decode())).status == 200
    return agent


def value_in(wire: Wire | None) -> bytes | None:
    if wire is None:
        return None
    return base64.b64decode(json.loads(wire[1].rpartition(b"\r\n\r\n")[2])[0]["Value"])


async def test_a_kept_response_waits_for_a_barrier() -> None:
    agent, heard = await server_with(b"1"), list[Wire | None]()
    agent.standing.held = True
    assert agent.app.cached(KEY, b"") is None
    assert agent.app.current(KEY, b"", heard.append) is not None
    await one_turn()
    assert not heard
    agent.standing.barriers.pop().set_result(None)
    await one_turn()
    assert [value_in(wire) for wire in heard] == [b"1"]
    assert b"X-Consul-KnownLeader: true" in b"".join(heard[0] or ())


async def test_a_response_that_changes_meanwhile_is_not_sent() -> None:
    agent, heard = await server_with(b"1"), list[Wire | None]()
    agent.standing.held = True
    agent.app.current(KEY, b"", heard.append)
    await agent.writer.commit(lambda txn: kv.put(txn, "a", b"2", 0))
    agent.standing.barriers.pop().set_result(None)
    await one_turn()
    assert heard == [None]


async def test_other_requests_take_the_way_of_all() -> None:
    agents = JoinedAgents()
    agent, heard = await server_with(b"1", agents), list[Wire | None]()
    for target in (b"/v1/kv/other", KEY + b"?stale", KEY + b"?max_stale=1s", KEY + b"?cached"):
        assert agent.app.current(target, b"", heard.append) is None
    agents.leader = ""
    assert agent.app.current(KEY, b"", heard.append) is None
    assert not heard


async def test_a_single_server_does_not_wait() -> None:
    agent, heard = await server_with(b"1"), list[Wire | None]()
    agent.standing.always_current = True
    assert value_in(agent.app.cached(KEY, b"")) == b"1"
    assert agent.app.current(KEY, b"", heard.append) is None


async def test_a_stopping_server_answers_those_that_wait() -> None:
    agent, heard = await server_with(b"1"), list[Wire | None]()
    agent.standing.held = True
    agent.app.current(KEY, b"", heard.append)
    agent.app.close()
    assert heard == [None]
