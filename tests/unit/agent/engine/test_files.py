"""The engine whose rows are files."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.engine.files import FilesEngine, FileTable
from pyconsul.agent.engine.writer import Writer
from pyconsul.agent.state.schemas import INDEXES
from pyconsul.agent.state.store import Store
from pyconsul.agent.state.write_txn import WriteTxn
from pyconsul.agent.sync.local_rows import CHECKS, REPORTS, TTLReport

FIRST, SECOND = TTLReport("a", "passing", "one", 5.0), TTLReport("b", "warning", "two", 6.0)


def encode(row: TTLReport) -> bytes:
    return json.dumps([row.check_id, row.status, row.output, row.expires]).encode()


def decode(data: bytes) -> TTLReport:
    return TTLReport(*json.loads(data))


TABLES = (FileTable(REPORTS, "checks/state", encode, decode), FileTable(CHECKS, "checks", encode, decode))


class Folder:
    """An engine on a folder, with a writer."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.engine = FilesEngine(path, TABLES)

    async def open(self) -> list[tuple[str, Any]]:
        loaded = await self.engine.load()
        rows = list(loaded.rows)
        self.writer = Writer(Store(rows, loaded.index, (REPORTS, CHECKS)), self.engine)
        return [(table, row) for table, row in rows if table != INDEXES.name]

    async def put(self, *rows: TTLReport) -> None:
        def operation(txn: WriteTxn) -> None:
            for row in rows:
                txn.put(REPORTS, row)

        await self.writer.commit(operation)

    async def delete(self, key: str) -> None:
        await self.writer.commit(lambda txn: txn.delete(REPORTS, key))


@pytest.fixture
async def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path)
    assert await made.open() == []
    return made


def files(path: Path) -> list[Path]:
    return [file for file in path.rglob("*") if file.is_file()]


async def test_rows_are_there_after_a_restart(folder: Folder) -> None:
    await folder.put(FIRST, SECOND)
    await folder.put(TTLReport("a", "critical", "", 9.0))
    await folder.delete("b")
    assert await Folder(folder.path).open() == [(REPORTS.name, TTLReport("a", "critical", "", 9.0))]
    assert [file.parent.name for file in files(folder.path)] == ["state"]


async def test_a_folder_is_made_when_it_is_needed(folder: Folder) -> None:
    assert not list(folder.path.iterdir())
    await folder.delete("missing")
    assert not list(folder.path.iterdir())


async def test_a_failure_changes_nothing(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk gets full while the second of two files is written."""
    await folder.put(FIRST)
    before = {file: file.read_bytes() for file in files(folder.path)}
    written, fsync = [], os.fsync

    def full(handle: int) -> None:
        written.append(handle)
        if len(written) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(handle)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(EngineError, match=r"cannot write into .*: No space left on device"):
            await folder.put(TTLReport("a", "critical", "changed", 9.0), SECOND)
    assert {file: file.read_bytes() for file in files(folder.path)} == before
    await folder.put(SECOND)
    assert len(files(folder.path)) == 2


async def test_a_file_under_another_name_is_taken_over(folder: Folder, caplog: pytest.LogCaptureFixture) -> None:
    await folder.put(FIRST)
    mine = folder.path / "checks" / "state"
    (mine / "by-hand").write_bytes(encode(SECOND))
    (mine / "again").write_bytes(encode(FIRST))
    other = Folder(folder.path)
    assert {row.check_id for _, row in await other.open()} == {"a", "b"}
    assert "ignored" in caplog.text
    assert "again" in caplog.text
    await other.delete("b")
    assert {row.check_id for _, row in await Folder(folder.path).open()} == {"a"}


async def test_drafts_are_no_rows(folder: Folder) -> None:
    await folder.put(FIRST)
    for name in (".a.0b1c.pyconsul-draft", "123.tmp"):
        (folder.path / "checks" / "state" / name).write_bytes(encode(SECOND))
    assert await Folder(folder.path).open() == [(REPORTS.name, FIRST)]


async def test_rows_are_added_in_order_and_removed_in_reverse(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    replace, unlink = os.replace, Path.unlink
    monkeypatch.setattr(os, "replace", lambda a, b: (seen.append(Path(b).parent.name), replace(a, b))[0])
    folder.engine._write({(CHECKS.name, "a"): FIRST, (REPORTS.name, "a"): FIRST})
    assert seen == ["state", "checks"]
    seen.clear()
    monkeypatch.setattr(Path, "unlink", lambda path, **how: (seen.append(path.parent.name), unlink(path, **how))[0])
    folder.engine._write({(CHECKS.name, "a"): None, (REPORTS.name, "a"): None})
    assert seen == ["checks", "state"]
