"""The stream of events over HTTP, without a browser: what it sends, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from support.agent_process import AgentProcess, running_agent
from support.event_stream import Stream

SERVICES = "/ui/dc1/services"


@pytest.fixture(scope="module")
def agent() -> Iterator[AgentProcess]:
    with running_agent(ui_config={"enabled": True}, limits={"http_max_conns_per_client": 3}) as running:
        yield running


def test_a_change_is_sent_as_the_row_that_differs(agent: AgentProcess) -> None:
    agent.put("/v1/agent/service/register", {"Name": "web"})
    agent.put("/v1/agent/service/register", {"Name": "db"})
    with ExitStack() as stack:
        stream = Stream(agent, SERVICES)
        stack.callback(stream.close)
        assert stream.next()[0] == "hello"
        name, whole = stream.next()
        assert name == "page"
        assert isinstance(whole["regions"], dict)
        assert "html" in whole["regions"]["list"]
        agent.put("/v1/agent/service/register", {"Name": "web", "Tags": ["canary"]})
        name, change = stream.next()
        assert isinstance(change["regions"], dict)
        assert list(change["regions"]["list"]["rows"]) == ["web"]
        assert "canary" in change["regions"]["list"]["rows"]["web"]


def test_streams_do_not_count_among_the_connections_of_a_client(agent: AgentProcess) -> None:
    with ExitStack() as stack:
        for _ in range(10):
            stream = Stream(agent, SERVICES)
            stack.callback(stream.close)
            assert stream.next()[0] == "hello"
        status, _, _ = agent.request("GET", "/v1/status/leader")
        assert status == 200


def test_streams_of_nothing_or_of_too_much_are_refused(agent: AgentProcess) -> None:
    for query in ("", "?page=/ui/", "?" + "page=/ui/&seen=&" * 51):
        status, _, body = agent.request("GET", "/ui/live" + query)
        assert (status, body) == (400, b"1 to 50 pages, each with `seen`\n")


def test_a_stream_of_unknown_pages_says_that_they_are_gone(agent: AgentProcess) -> None:
    stream = Stream(agent, "/ui/dc1/nope", "/v1/agent/self", "/ui/live")
    assert stream.next()[0] == "hello"
    events = [stream.next() for _ in range(3)]
    stream.close()
    assert {name for name, _ in events} == {"gone"}
    assert {str(data["page"]) for _, data in events} == {"/ui/dc1/nope", "/v1/agent/self", "/ui/live"}
