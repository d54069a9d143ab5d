"""When a server is dialed again, how long a request may take, and what is written into the log how often."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack

import pytest
from support.eventually import eventually_async, one_turn
from support.rpc_agents import get, network, server_at
from support.rpc_pair import Gate

from pyconsul.agent.rpc.contract import NotSent
from pyconsul.agent.rpc.notices import MAX_KEPT, REPEAT_S, Notices
from pyconsul.agent.rpc.peers import MAX_BACKOFF_S, MIN_BACKOFF_S, Dial, longest_wait_s


async def test_the_backoff_grows_to_its_limit_and_ends_with_success_or_another_address() -> None:
    dial, now = Dial(), 0.0
    for attempt in range(10):
        dial.start("10.0.0.1:8300", asyncio.get_running_loop().create_future())
        found = dial.found
        assert found is not None
        dial.fail("refused", now)
        assert isinstance(found.exception(), NotSent)
        longest = min(MIN_BACKOFF_S * 2**attempt, MAX_BACKOFF_S)
        assert dial.refusal("10.0.0.1:8300", now + 0.49 * longest) == "refused"
        assert dial.refusal("10.0.0.1:8300", now + 1.01 * longest) == ""
        assert dial.refusal("10.0.0.2:8300", now) == ""
        now += 100
    dial.start("10.0.0.1:8300", asyncio.get_running_loop().create_future())
    dial.succeed(None)  # type: ignore[arg-type]
    assert dial.refusal("10.0.0.1:8300", now) == ""
    dial.fail("refused", now)
    assert dial.refusal("10.0.0.1:8300", now + 1.01 * MIN_BACKOFF_S) == ""


async def test_a_dial_goes_on_when_those_that_wait_are_cancelled() -> None:
    async with network() as net:
        server, client = await net.server("s1"), await net.client("web1")
        tasks = [asyncio.ensure_future(client.ask(server, get("/"))) for _ in range(3)]
        await one_turn()
        await one_turn()
        for task in tasks:
            task.cancel()
        await eventually_async(client.peers.connected)
        assert (await client.ask(server, get("/"))).status == 200


async def test_all_that_wait_for_one_dial_learn_why_it_failed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    async with network() as net:
        client = await net.client("web1")
        net.servers.put(server_at("s1", port))
        asked = [client.peers.ask("id-s1", get("/")) for _ in range(5)]
        errors = await asyncio.gather(*asked, return_exceptions=True)
        assert {str(error) for error in errors} == {f"cannot reach server s1 at 127.0.0.1:{port}: connection refused"}
        assert len({id(error) for error in errors}) == 5


async def test_a_machine_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyconsul.agent.rpc.peers.CONNECT_S", 0.05)
    with socket.socket() as full, ExitStack() as stack:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(2):  # further connections are dropped by the system
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        async with network() as net:
            client = await net.client("web1")
            net.servers.put(server_at("s1", full.getsockname()[1]))
            with pytest.raises(NotSent, match=r"cannot reach server s1 at .*: connection timed out"):
                await client.peers.ask("id-s1", get("/"))


async def test_an_agent_that_stops_sends_nothing_more_and_waits_for_what_runs() -> None:
    gate = Gate()
    async with network() as net:
        server, client = await net.server("s1", gate.serve), await net.client("web1")
        running = asyncio.ensure_future(client.ask(server, get("/")))
        await eventually_async(lambda: gate.waiting)
        stopping = asyncio.ensure_future(client.stop())
        await one_turn()
        with pytest.raises(NotSent, match="agent web1 is stopping"):
            await client.ask(server, get("/"))
        gate.open(b"/")
        await stopping
        assert (await running).body == b"opened"
        assert client.peers.open_connections == 0


async def test_a_request_that_never_ends_holds_a_stopping_agent_for_its_grace_only() -> None:
    gate = Gate()
    async with network() as net:
        server, client = await net.server("s1", gate.serve), await net.client("web1")
        running = asyncio.ensure_future(client.ask(server, get("/")))
        await eventually_async(lambda: gate.waiting)
        await client.stop(0.01)
        assert "this agent is stopping" in str((await asyncio.gather(running, return_exceptions=True))[0])


@pytest.mark.parametrize(
    ("target", "seconds"),
    [
        (b"/v1/kv/a?index=7", 637.5),
        (b"/v1/kv/a?index=7&wait=", 637.5),
        (b"/v1/kv/a?wait=16s&index=7", 17.0),
        (b"/v1/kv/a?index=7&wait=1h", 3825.0),
        (b"/v1/kv/a?index=7&wait=long", 0.0),
        (b"/v1/kv/a?index=7&wait=\xff", 0.0),
        (b"/v1/kv/a?index=7&wait=-5s&\xff=\xff", 0.0),
        (b"/v1/kv/a?index=7&wait=16s&wait=32s", 17.0),
    ],
)
def test_a_blocking_query_gets_its_wait_and_the_random_part_of_it(target: bytes, seconds: float) -> None:
    assert longest_wait_s(target) == seconds


def test_a_notice_is_written_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    notices = Notices(lambda: now[0])
    for second in range(int(2 * REPEAT_S)):
        now[0] = float(second)
        notices.warn(f"port {second}", "cause")
        notices.warn("text")
    assert caplog.messages == ["port 0", "text", "port 60", "text"]


def test_notices_of_many_causes_are_kept_in_bounded_memory(caplog: pytest.LogCaptureFixture) -> None:
    notices = Notices(lambda: 0.0)
    for number in range(2 * MAX_KEPT + 1):
        notices.warn(f"text {number}")
    notices.warn("text 0")
    assert caplog.messages[-1] == "text 0"
    notices.warn("text 0")
    assert caplog.messages.count("text 0") == 2
