"""Watches run their handlers when what they ask for changed; outages and reloads."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from support.eventually import eventually_async, one_turn

from pyconsul.agent.watches import watcher as module
from pyconsul.agent.watches.definition import WatchError, definition
from pyconsul.agent.watches.watcher import Found, Watcher


class FakeAgent:
    """Answers what the test puts; a question with an index waits for the next answer."""

    def __init__(self) -> None:
        self.answers: asyncio.Queue[Found | Exception] = asyncio.Queue()
        self.asked: list[tuple[str, dict[str, str], str]] = []

    async def ask(self, path: str, query: Mapping[str, str], token: str) -> Found:
        self.asked.append((path, dict(query), token))
        answer = await self.answers.get()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def put(self, index: int, value: Any, status: int = 200) -> None:
        self.answers.put_nowait(Found(status, index, json.dumps(value).encode()))


class Runs:
    """A handler that keeps what it reads, one file a run."""

    def __init__(self, folder: Path, name: str = "h") -> None:
        self.folder = folder
        self.args = [
            "sh",
            "-c",
            f'cat >"{folder}/{name}.$CONSUL_INDEX.new" && mv "{folder}/{name}.$CONSUL_INDEX.new" "{folder}/{name}.$CONSUL_INDEX"',
        ]
        self.name = name

    async def wait(self, index: int) -> Any:
        path = self.folder / f"{self.name}.{index}"
        await eventually_async(path.exists)
        return json.loads(path.read_text())


@pytest.fixture
def agent() -> FakeAgent:
    return FakeAgent()


@pytest.fixture
async def watcher(agent: FakeAgent) -> AsyncIterator[Watcher]:
    made = Watcher(agent.ask)
    yield made
    await made.stop()


KEY = {"Key": "a", "CreateIndex": 1, "ModifyIndex": 1, "LockIndex": 0, "Flags": 0, "Value": "eA==", "Session": ""}


async def test_a_handler_runs_at_the_start_and_at_changes_only(
    agent: FakeAgent, watcher: Watcher, tmp_path: Path
) -> None:
    runs = Runs(tmp_path)
    watcher.use([definition({"type": "key", "key": "a", "args": runs.args, "token": "t"})])
    agent.put(5, [], status=404)
    assert await runs.wait(5) is None
    agent.put(6, [], status=404)  # another key of the prefix changed
    agent.put(7, [KEY])
    assert await runs.wait(7) == KEY
    assert not (tmp_path / "h.6").exists()
    assert agent.asked[0] == ("/v1/kv/a", {}, "t")
    assert agent.asked[1] == ("/v1/kv/a", {"index": "5"}, "t")


async def test_a_failed_question_is_asked_again(
    agent: FakeAgent,
    watcher: Watcher,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.001)
    runs = Runs(tmp_path)
    watcher.use([definition({"type": "nodes", "args": runs.args})])
    agent.put(0, "no", status=500)
    agent.answers.put_nowait(RuntimeError("gone"))
    agent.put(3, ["n1"])
    assert await runs.wait(3) == ["n1"]
    assert [record.getMessage().split(" retry")[0] for record in caplog.records if record.name == "agent"] == [
        'Watch errored: type=nodes error=500: "no"', "Watch errored: type=nodes error=gone",
    ]  # fmt: skip


async def test_failing_handlers_are_logged_and_the_watch_goes_on(
    agent: FakeAgent, watcher: Watcher, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    marker = tmp_path / "second"
    watcher.use(
        [definition({"type": "nodes", "args": ["sh", "-c", f'[ "$CONSUL_INDEX" = 1 ] && exit 3; touch {marker}']})]
    )
    agent.put(1, [])
    agent.put(2, ["n1"])
    await eventually_async(marker.exists)
    assert 'error="exit status 3"' in caplog.text
    watcher.use([definition({"type": "nodes", "args": ["/nowhere"]})])
    agent.put(1, [])
    await eventually_async(lambda: "/nowhere" in caplog.text)
    assert (
        'Failed to run watch handler: watch_handler=["/nowhere"] error="fork/exec /nowhere: no such file or directory"'
        in caplog.text
    )


async def test_a_child_that_holds_the_output_open_does_not_stop_the_watch(
    agent: FakeAgent, watcher: Watcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyconsul.agent.watches.handlers._LINGER_S", 0.01)
    watcher.use([definition({"type": "nodes", "args": ["sh", "-c", f"sleep 60 & touch {tmp_path}/$CONSUL_INDEX"]})])
    agent.put(1, [])
    agent.put(2, ["n1"])
    await eventually_async((tmp_path / "2").exists)


async def test_another_list_of_watches_replaces_the_first(agent: FakeAgent, watcher: Watcher, tmp_path: Path) -> None:
    first, second = Runs(tmp_path, "first"), Runs(tmp_path, "second")
    watcher.use([definition({"type": "nodes", "args": first.args})])
    agent.put(1, [])
    await first.wait(1)
    watcher.use([definition({"type": "nodes", "args": second.args})])
    agent.put(2, [])
    assert await second.wait(2) == []
    assert not (tmp_path / "first.2").exists()


async def test_refused_watches_stop_those_that_run(agent: FakeAgent, watcher: Watcher, tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    watcher.use([definition({"type": "key", "key": "a", "args": runs.args})])
    agent.put(1, [KEY])
    assert await runs.wait(1) == KEY
    await eventually_async(lambda: len(agent.asked) == 2)
    with pytest.raises(WatchError, match="Unsupported watch type: nonsense"):
        watcher.prepare([{"type": "nonsense", "args": ["true"]}])
    agent.put(2, [{**KEY, "Value": "eQ=="}])
    for _ in range(10):
        await one_turn()
    assert agent.answers.qsize() == 1, "nobody reads it"
    watcher.use(watcher.prepare([{"type": "key", "key": "a", "args": runs.args}]))
    assert (await runs.wait(2))["Value"] == "eQ=="


async def test_a_handler_that_ends_with_the_agent_is_no_failure(
    agent: FakeAgent, watcher: Watcher, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    started = tmp_path / "started"
    watcher.use([definition({"type": "nodes", "args": ["sh", "-c", f"touch {started}; exec sleep 60"]})])
    agent.put(1, [])
    await eventually_async(started.exists)
    await watcher.stop()
    assert caplog.text == ""


async def test_failed_watches_are_tried_again_with_a_new_server(
    agent: FakeAgent, watcher: Watcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_S", 600.0)
    runs = Runs(tmp_path)
    watcher.use([definition({"type": "key", "key": "a", "args": runs.args})])
    agent.put(0, "No known Consul servers", status=500)
    await eventually_async(agent.answers.empty)
    await one_turn()
    watcher.retry()
    agent.put(7, [KEY])
    assert await runs.wait(7) == KEY
