"""The lock on a data folder, and the folders of earlier versions."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from pyconsul.agent.engine.embedded.engine import EmbeddedEngine
from pyconsul.agent.engine.writer import Writer
from pyconsul.agent.runtime.data import local_registrations
from pyconsul.agent.runtime.data.data_folder import DataFolderError, Lock, server_folder
from pyconsul.agent.state.store import Store
from pyconsul.agent.state.write_txn import WriteTxn
from pyconsul.agent.sync.definition import node_service
from pyconsul.agent.sync.local_rows import ALL, SERVICES, ServiceRow

WEB = ServiceRow(node_service("web", port=80), "secret")
OLD = ("state.db", "state.db-wal", "state.mark", "cluster/vote")


def test_a_lock_names_its_process_and_leaves_no_file(tmp_path: Path) -> None:
    (tmp_path / "agent.lock").touch()
    lock = Lock(tmp_path)
    assert not list(tmp_path.iterdir())
    with pytest.raises(DataFolderError, match=rf"in use by another agent: pid={os.getpid()};"):
        Lock(tmp_path)
    lock.release()
    Lock(tmp_path).release()


@pytest.mark.parametrize("moved", [names for count in range(4) for names in combinations(OLD[1:], count)])
def test_an_interrupted_move_is_finished(tmp_path: Path, moved: tuple[str, ...]) -> None:
    """The file that decides moves last, so the others may be at either place."""
    for name in OLD:
        path = tmp_path / "raft" / name if name in moved else tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    folder = server_folder(tmp_path)
    assert [(folder / name).read_text() for name in OLD] == list(OLD)
    assert [path.name for path in tmp_path.iterdir()] == ["raft"]
    assert server_folder(tmp_path) == folder


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    server_folder(tmp_path)
    (tmp_path / "raft" / "state.db").write_text("new")
    (tmp_path / "state.db").write_text("old")
    with pytest.raises(DataFolderError, match=r"both .*/state.db and .*/raft/state.db exist"):
        server_folder(tmp_path)


async def stored(folder: Path) -> list[tuple[str, Any]]:
    async with AsyncExitStack() as stack:
        return (await local_registrations.open_store(folder, stack))[0]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() if path.is_file() else b"" for path in folder.iterdir()}


async def test_registrations_of_an_earlier_version_become_files(tmp_path: Path) -> None:
    engine = EmbeddedEngine(tmp_path / "local.db", ALL)
    loaded = await engine.load()

    def put(txn: WriteTxn) -> None:
        txn.put(SERVICES, WEB)

    await Writer(Store(loaded.rows, loaded.index, ALL), engine).commit(put)
    await engine.close()
    before = contents(tmp_path)
    assert await stored(tmp_path) == [(SERVICES.name, WEB)]
    assert list(contents(tmp_path)) == ["services"]
    for name, content in before.items():  # as if it had been killed before it removed the file
        (tmp_path / name).write_bytes(content)
    assert await stored(tmp_path) == [(SERVICES.name, WEB)]
    assert list(contents(tmp_path)) == ["services"]
