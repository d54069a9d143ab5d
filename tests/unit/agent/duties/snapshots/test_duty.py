"""Snapshots at intervals: the files, the check, and what happens when they cannot be written."""

from __future__ import annotations

import asyncio
import stat
from functools import partial
from pathlib import Path

import pytest

from pyconsul.agent.duties.snapshots.duty import SnapshotSchedule
from pyconsul.agent.duties.snapshots.schedule import Schedule, name_at
from pyconsul.agent.engine.memory import MemoryEngine
from pyconsul.agent.engine.writer import Writer
from pyconsul.agent.snapshot.inspect import inspect
from pyconsul.agent.state import kv
from pyconsul.agent.state.store import Store

NOW = 1_764_428_400.0


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class Shown:
    """A check that tells when it changes."""

    def __init__(self) -> None:
        self.status, self.output = "", ""
        self._changed = asyncio.Event()

    async def show(self, status: str, output: str) -> None:
        self.status, self.output = status, output
        self._changed.set()

    async def hide(self) -> None:
        self.status = self.output = ""
        self._changed.set()

    async def next(self) -> tuple[str, str]:
        await asyncio.wait_for(self._changed.wait(), 30)
        self._changed.clear()
        return self.status, self.output


class Leader:
    """A server with one key."""

    def __init__(self, folder: Path, *, interval_s: float = 3600.0, retain: int = 2) -> None:
        self.now = NOW
        self.settings = Schedule(interval_s, retain, folder)
        self.store, self.shown = Store(), Shown()
        self.duty = SnapshotSchedule(
            self.store, self.settings, self.shown, lambda: self.now, node_id="id-s1", address="10.0.0.1:8300"
        )

    async def put(self, key: str) -> None:
        await Writer(self.store, MemoryEngine()).commit(partial(kv.put, key=key, value=b"1", flags=0))


async def test_a_snapshot_is_saved_at_once_and_can_be_read(tmp_path: Path) -> None:
    leader = Leader(tmp_path / "a/b")
    await leader.put("saved")
    await leader.duty.start()
    status, output = await leader.shown.next()
    path = tmp_path / "a/b" / name_at(NOW)
    assert (status, output.partition(",")[0]) == ("passing", f"saved {path.name}: index {leader.store.index}")
    assert inspect(str(path)).kinds["KVS"][0] == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    await leader.duty.stop()
    assert leader.shown.status == ""


async def test_a_new_leader_goes_on_with_the_schedule_of_its_folder(tmp_path: Path) -> None:
    (tmp_path / name_at(NOW - 60)).touch()
    leader = Leader(tmp_path)
    await leader.duty.start()
    assert await leader.shown.next() == ("passing", f"the last snapshot is {name_at(NOW - 60)}")
    await leader.duty.stop()
    assert len(names(tmp_path)) == 1


async def test_surplus_snapshots_are_removed(tmp_path: Path) -> None:
    for age in (3, 2, 1):
        (tmp_path / name_at(NOW - age * 3600)).touch()
    (tmp_path / "mine.snap").touch()
    leader = Leader(tmp_path)
    await leader.duty.save(leader.settings)
    expected = ["mine.snap", name_at(NOW - 3600), name_at(NOW)]
    assert names(tmp_path) == expected


async def test_a_failure_turns_the_check_critical_until_a_snapshot_succeeds(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "folder"
    folder.write_text("this is a file")
    leader = Leader(folder, interval_s=0.001)
    await leader.duty.start()
    status, output = await leader.shown.next()
    assert (status, output) == ("critical", f"cannot save a snapshot in {folder}: file exists")
    await leader.shown.next()
    folder.unlink()
    while (await leader.shown.next())[0] != "passing":
        pass
    await leader.duty.stop()
    assert names(folder) == [name_at(NOW)]
    assert sum(record.levelname == "ERROR" for record in caplog.records) == 1


async def test_a_reload_turns_the_schedule_on_and_off(tmp_path: Path) -> None:
    leader = Leader(tmp_path, interval_s=0.0)
    await leader.duty.start()
    assert await leader.shown.next() == ("", "")
    leader.duty.use(Schedule(60.0, 1, tmp_path))
    assert (await leader.shown.next())[0] == "passing"
    leader.duty.use(leader.settings)
    assert await leader.shown.next() == ("", "")
    await leader.duty.stop()
