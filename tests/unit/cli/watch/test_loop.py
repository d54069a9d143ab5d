"""A watch goes on through errors, restarts and replaced state; what it reports, and when it asks again."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from pyconsul.agent.common.watch_plan import Plan
from pyconsul.cli.context import Context
from pyconsul.cli.errors import ApiError, CliError, Unreachable
from pyconsul.cli.http.client import Response
from pyconsul.cli.http.connection import Dropped
from pyconsul.cli.watch.loop import Follower, Hangup, Interrupted

Step = tuple[int, Any] | Exception


class Agent:
    """Plays answers, one for each request: (index, document), None for 404, or an error."""

    def __init__(self, *steps: Step) -> None:
        self.steps = list(steps)
        self.asked: list[dict[str, str]] = []
        self.notes: list[str] = []
        self.renewed = 0
        self.refusal: CliError | None = None

    @property
    def client(self) -> Agent:
        return self

    def request(self, method: str, path: str, query: dict[str, str], *, again: bool) -> Response:
        assert (method, again) == ("GET", False)
        self.asked.append(query)
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        index, document = step
        return Response(404 if document is None else 200, {"x-consul-index": str(index)}, json.dumps(document).encode())

    def close(self) -> None:
        pass

    def renew_client(self) -> None:
        if self.refusal:
            raise self.refusal
        self.renewed += 1

    def note(self, line: str) -> None:
        self.notes.append(line)


class Signals:
    """A hangup that comes as planned: before the waiting of these numbers."""

    def __init__(self, *interrupts: int) -> None:
        self._interrupts = interrupts
        self._count = 0
        self.pending = False

    def __enter__(self) -> None:
        self._count += 1
        if self._count in self._interrupts:
            self.pending = True
            raise Interrupted

    def acknowledge(self) -> None:
        self.pending = False

    def __exit__(self, *error: object) -> None:
        pass


def follow(agent: Agent, plan: Plan, hangup: Signals | None = None) -> tuple[Follower, list[float]]:
    slept: list[float] = []
    follower = Follower(cast(Context, agent), plan, cast("Hangup | None", hangup), sleep=slept.append)
    return follower, slept


def services() -> Plan:
    return Plan("services", "/v1/catalog/services", {})


def test_changes_follow_one_another() -> None:
    agent = Agent((5, {"a": []}), (5, {"a": []}), (7, {"a": []}), (9, {"b": []}))
    follower, slept = follow(agent, services())
    assert follower.next() == (5, {"a": []})
    assert follower.next() == (9, {"b": []}), "equal data is not a change"
    assert [query.get("index") for query in agent.asked] == [None, "5", "5", "7"]
    assert slept == agent.notes == []


def test_errors_are_retried_with_backoff() -> None:
    errors = [Unreachable("no answer\nwhat to do")] * 7
    agent = Agent(*errors, (5, {"a": []}))
    follower, slept = follow(agent, services())
    assert follower.next() == (5, {"a": []})
    assert slept == [5.0, 20.0, 45.0, 80.0, 125.0, 180.0, 180.0]
    assert agent.notes[0] == "Watch (type: services) errored: no answer Retry in 5s"


def test_an_answer_resets_the_backoff() -> None:
    agent = Agent(Unreachable("x"), Unreachable("x"), (5, {"a": []}), Unreachable("x"), (6, {"b": []}))
    follower, slept = follow(agent, services())
    follower.next()
    follower.next()
    assert slept == [5.0, 20.0, 5.0]


@pytest.mark.parametrize("interruption", [Unreachable("x"), Dropped("x")])
def test_after_an_interruption_the_present_state_is_asked_for(interruption: Exception) -> None:
    """A new agent may have reached the old index with other data."""
    agent = Agent((5, {"a": []}), interruption, (5, {"b": []}))
    follower, _ = follow(agent, services())
    follower.next()
    assert follower.next() == (5, {"b": []})
    assert "index" not in agent.asked[-1]


def test_nothing_comes_twice_after_an_interruption() -> None:
    agent = Agent((5, {"a": []}), Dropped("x"), (5, {"a": []}), (6, {"b": []}))
    follower, _ = follow(agent, services())
    follower.next()
    assert follower.next() == (6, {"b": []})


def test_an_index_that_goes_back_is_reported() -> None:
    agent = Agent((50, {"a": []}), (3, {"b": []}))
    follower, _ = follow(agent, services())
    follower.next()
    assert follower.next() == (3, {"b": []})
    assert "went back from 50 to 3" in agent.notes[0]


def test_a_missing_key_is_data_and_a_missing_service_endpoint_an_error() -> None:
    agent = Agent((4, None))
    follower, _ = follow(agent, Plan("key", "/v1/kv/a", {}))
    assert follower.next() == (4, None)
    agent = Agent((4, None), (5, {}))
    follower, slept = follow(agent, services())
    assert follower.next() == (5, {})
    assert slept == [5.0]


def test_a_hangup_renews_the_client_and_keeps_the_index() -> None:
    agent = Agent((5, {"a": []}), (6, {"b": []}))
    follower, _ = follow(agent, services(), Signals(2))
    follower.next()
    assert follower.next() == (6, {"b": []})
    assert agent.renewed == 1
    assert agent.asked[-1] == {"index": "5"}
    assert agent.notes == ["Watch (type: services): reloaded, going on at index 5"]


def test_a_hangup_ends_the_backoff() -> None:
    agent = Agent(Unreachable("x"), (5, {"a": []}))
    follower, slept = follow(agent, services(), Signals(2))
    assert follower.next() == (5, {"a": []})
    assert slept == []
    assert agent.renewed == 1


def test_a_hangup_with_a_bad_token_file_changes_nothing() -> None:
    agent = Agent((5, {"a": []}))
    agent.refusal = ApiError(403, "no")
    follower, _ = follow(agent, services(), Signals(1))
    assert follower.next() == (5, {"a": []})
    assert "nothing is reloaded" in agent.notes[0]
