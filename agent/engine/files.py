"""An engine that keeps each row in a file, which other programs read, too.

A commit first writes the new files beside the old ones, then renames them, then removes those of deleted rows: when the disk is
full, nothing has changed.  A kill between two renames leaves a part of a commit that was not acknowledged; the order of the tables
makes sure that no row is there without those that were added before it.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from pyconsul.agent.common.files.atomic_file import DraftFile, sync_folder
from pyconsul.agent.engine.contract import NO_LIMITS, EngineError, Loaded
from pyconsul.agent.engine.history.contract import HistorySlice, Retention
from pyconsul.agent.state.changeset import Changeset
from pyconsul.agent.state.contract import Schema
from pyconsul.agent.state.store import floor_row

log = logging.getLogger("agent.engine")


class FileTable(NamedTuple):
    """A table whose rows are the files of a folder, named after the SHA-256 of their keys.

    folder: path below the engine's.  decode: raises ValueError, or TypeError, for content that is not a row.
    """

    schema: Schema[Any]
    folder: str
    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]


class FilesEngine:
    """Keeps rows below the folder `root`; it has no index, so each start begins at 0.

    tables: in the order in which a commit adds rows; it deletes them in the reverse order.
    """

    limits = NO_LIMITS

    def __init__(self, root: Path, tables: Sequence[FileTable]) -> None:
        self._root, self._tables = root, tables
        self._index = 0

    async def load(self) -> Loaded:
        """Read every file; what cannot be used stays where it is, with a log message.  Blocks the event loop."""
        rows = [(table.schema.name, row) for table in self._tables for row in self._read_table(table).values()]
        return Loaded([*rows, floor_row(0)], 0)

    def _read_table(self, table: FileTable) -> Mapping[str, Any]:
        rows: dict[str, Any] = {}
        folder = self._root / table.folder
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.name.startswith(".") or path.name.endswith("tmp") or not path.is_file():
                continue  # a draft
            try:
                row = table.decode(path.read_bytes())
                key = str(table.schema.key(row))
                self._give_name(path, self._path(table, key))
            except (OSError, ValueError, TypeError) as error:
                log.error("ignored %s, which holds no %s: %s", path, table.schema.name, error)
                continue
            rows[key] = row
        return rows

    def _give_name(self, path: Path, name: Path) -> None:
        """Rename a file that was put here under another name, so that it is found when its row changes."""
        if path == name:
            return
        if name.exists():
            raise ValueError(f"{name.name} is the same")
        path.rename(name)

    async def commit(self, batch: Sequence[Changeset]) -> int:
        last: dict[tuple[str, str], Any] = {}
        for changeset in batch:
            for schema, key, row in changeset.writes:
                last[schema.name, str(key)] = row
        try:
            await asyncio.to_thread(self._write, last)
        except OSError as error:
            raise EngineError(f"cannot write into {self._root}: {error.strerror or error}") from error
        self._index = batch[-1].index
        return self._index

    def _write(self, rows: Mapping[tuple[str, str], Any]) -> None:
        """Write rows, and remove the files of those that are None.  Raises OSError."""
        put = [
            (self._path(table, key), table.encode(row))
            for table in self._tables
            for (name, key), row in rows.items()
            if name == table.schema.name and row is not None
        ]
        gone = [
            self._path(table, key)
            for table in reversed(self._tables)
            for (name, key), row in rows.items()
            if name == table.schema.name and row is None
        ]
        with ExitStack() as drafts:
            ready = []
            for path, data in put:
                self._make_folder(path.parent)
                draft = DraftFile(path.parent, path.name)
                drafts.callback(draft.discard)
                draft.fill([data])
                ready.append((draft.path, path))
            for written, path in ready:
                os.replace(written, path)
        removed = [path for path in gone if _remove(path)]
        for folder in {path.parent for path in (*(path for path, _ in put), *removed)}:
            sync_folder(folder)

    def _make_folder(self, folder: Path) -> None:
        """Make a folder and those above it, private and durable.  Raises OSError."""
        if folder != self._root and not folder.is_dir():
            self._make_folder(folder.parent)
            folder.mkdir(mode=0o700, exist_ok=True)
            sync_folder(folder.parent)

    def _path(self, table: FileTable, key: str) -> Path:
        return self._root / table.folder / hashlib.sha256(key.encode()).hexdigest()

    async def took_effect(self, commit_id: int) -> bool:
        raise EngineError(f"no commit to {self._root} has an unknown outcome")

    async def barrier(self) -> int:
        return self._index

    async def watch(self, after: int) -> AsyncIterator[Changeset]:
        while True:
            await asyncio.get_running_loop().create_future()  # this agent is the only writer
            yield Changeset(after, 0.0)

    async def replace(self, rows: Iterable[tuple[str, Any]], index: int) -> None:
        raise EngineError("the rows of an agent are not replaced")

    async def history(self, key: str, *, tree: bool = False, after: int | None = None) -> HistorySlice | None:
        return None

    async def retain(self, retention: Retention, now: float) -> None:
        pass

    async def close(self) -> None:
        pass


def _remove(path: Path) -> bool:
    """Remove a file; return whether it was there.  Raises OSError."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True
