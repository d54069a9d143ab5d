"""The keyring file and the snapshot file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.eventually import eventually_async, one_turn

from pyconsul.agent.gossip.driver import snapshot_file
from pyconsul.agent.gossip.driver.keyring_file import read_keyring, write_keyring
from pyconsul.agent.gossip.driver.pool_log import PoolLog
from pyconsul.agent.gossip.driver.snapshot_file import SnapshotFile, read_snapshot
from pyconsul.agent.gossip.serf.effects import MemberChanged, UserEventReceived
from pyconsul.agent.gossip.serf.snapshot import Recorder
from pyconsul.agent.gossip.settings import PoolError
from pyconsul.agent.model.member import Member, MemberEvent, MemberStatus


def changed(event: MemberEvent, name: str) -> MemberChanged:
    return MemberChanged(event, Member(name, "10.0.0.3", 8301, {}, MemberStatus.ALIVE))


def test_a_keyring_is_kept_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "serf" / "local.keyring"
    assert read_keyring(file) is None
    keys = (b"a" * 32, b"b" * 16)
    write_keyring(file, keys)
    assert read_keyring(file) == keys
    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_text()) == ["YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=", "YmJiYmJiYmJiYmJiYmJiYg=="]


def test_a_faulty_keyring_is_told_without_its_keys(tmp_path: Path) -> None:
    file = tmp_path / "local.keyring"
    for content in ("", "{}", '["secret"]', '["c2VjcmV0"]', "[1]", "\xff"):
        file.write_text(content)
        with pytest.raises(PoolError) as caught:
            read_keyring(file)
        assert str(file) in str(caught.value)
        assert "c2VjcmV0" not in str(caught.value)


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as one:
        yield one


class Clock:
    """The member clock."""

    time = 0


def opened(path: Path, executor: ThreadPoolExecutor, clock: Clock) -> SnapshotFile:
    contents, size = read_snapshot(path, rejoin_after_leave=False)
    recorder = Recorder(contents, size_bytes=size, rejoin_after_leave=False)
    return SnapshotFile(path, recorder, lambda: clock.time, executor, PoolLog("lan", lambda: 0.0))


async def test_what_happens_is_written_soon_and_at_the_end(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    path, clock = tmp_path / "local.snapshot", Clock()
    file = opened(path, executor, clock)
    file.record(changed(MemberEvent.JOIN, "web 1"))
    clock.time = 5
    await eventually_async(lambda: path.exists() and path.read_text() == "alive: web 1 10.0.0.3:8301\nclock: 5\n")
    clock.time = 6
    file.check_clock()
    file.record(UserEventReceived(9, "deploy", b"", False))
    await file.close()
    contents, _ = read_snapshot(path, rejoin_after_leave=False)
    assert (contents.alive, contents.clock, contents.event_clock) == ({"web 1": "10.0.0.3:8301"}, 6, 9)


async def test_a_damaged_file_is_rewritten(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    path = tmp_path / "local.snapshot"
    path.write_text("alive: web1 10.0.0.3:8301\nnonsense\nclock: 7\nalive: web2 10.0")
    file = opened(path, executor, Clock())
    await file.close()
    assert path.read_text() == "alive: web1 10.0.0.3:8301\nclock: 7\nevent-clock: 0\nquery-clock: 0\n"


async def test_after_a_failed_write_the_whole_file_is_written_again(
    tmp_path: Path,
    executor: ThreadPoolExecutor,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = tmp_path / "local.snapshot"
    file = opened(path, executor, Clock())

    def full_disk(path: Path, data: bytes) -> None:
        path.write_bytes(data[:7])  # half a line
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as context:
        context.setattr(snapshot_file, "_append", full_disk)
        file.record(changed(MemberEvent.JOIN, "web1"))
        await eventually_async(lambda: "no space left on device" in caplog.text)
    file.record(changed(MemberEvent.JOIN, "web2"))
    await file.close()
    contents, _ = read_snapshot(path, rejoin_after_leave=False)
    assert (list(contents.alive), contents.damaged_lines) == (["web1", "web2"], 0)


async def test_a_leave_is_the_last_thing_recorded(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    path = tmp_path / "local.snapshot"
    file = opened(path, executor, Clock())
    file.record(changed(MemberEvent.JOIN, "web1"))
    file.leave()
    file.record(changed(MemberEvent.LEAVE, "web1"))
    await file.close()
    assert path.read_text().endswith("leave\n")
    await one_turn()
    assert read_snapshot(path, rejoin_after_leave=False)[0].alive == {}
    assert list(read_snapshot(path, rejoin_after_leave=True)[0].alive) == ["web1"]
