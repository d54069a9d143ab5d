"""Opens a data file at the start of an agent: upgrades an older format, repairs nothing unasked, and reports what is wrong.

Three kinds of failure:

- Damage: of the file's structure or a checksum, or missing acknowledged commits (see `mark`).  The file is refused with advice,
  since an agent that serves part of what it acknowledged is worse than one that does not start.  The file `accept-damage` accepts
  the damage once.
- Rows that are intact but cannot be used: moved to the table `aside` of the file, with a log message.
- A full disk: see `read_on_full_disk`.
"""

from __future__ import annotations

import logging
import secrets
import shutil
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple

from pyconsul.agent.engine.contract import Loaded
from pyconsul.agent.engine.embedded import datafile
from pyconsul.agent.engine.embedded.datafile import NAMED, BadRow, Contents, Damaged
from pyconsul.agent.engine.embedded.mark import Mark, Point, Unreadable
from pyconsul.agent.engine.embedded.upgrade import upgrade
from pyconsul.agent.model.named_index import NamedIndex
from pyconsul.agent.model.service import ServiceInstance
from pyconsul.agent.state.contract import Schema
from pyconsul.agent.state.schemas import INDEXES
from pyconsul.agent.state.store import floor_row

ACCEPT_FILE = "accept-damage"  # a file beside the data file; see `damage_advice`
MIN_FREE_BYTES = 256 << 10  # free bytes; with fewer, a failure is reported as a full disk
MAX_SHOWN = 5  # bad rows that a message names

log = logging.getLogger("agent.engine")


class AcceptedDamage(NamedTuple):
    """The damage that an operator accepts: rows that do not match their checksum, missing acknowledged commits."""

    rows: bool
    commits: bool


ACCEPT_NONE, ACCEPT_ALL = AcceptedDamage(False, False), AcceptedDamage(True, True)


class OpenFile:
    """An open data file: its connection, its mark, and the index and chain of its last commit."""

    def __init__(self, path: Path, database: sqlite3.Connection, meta: Mapping[str, int]) -> None:
        self.path, self.database, self.mark = path, database, Mark(mark_path(path))
        self.id, self.index, self.floor = meta["id"], meta["index"], meta["floor"]
        self.chain = self.next_chain = datafile.chain_of(database)
        self._meta = meta

    def index_rows(self) -> list[tuple[str, NamedIndex]]:
        """Return the named indexes of the time when the file was opened, as rows."""
        return index_rows({**self._meta, datafile.FLOOR: self.floor})

    def write_mark(self) -> None:
        """Raises OSError."""
        self.mark.write(Point(self.id, self.index, self.chain))

    def close(self) -> None:
        with suppress(OSError):
            self.mark.close()
        self.database.close()


def mark_path(path: Path) -> Path:
    """Return the path of a data file's mark: `state.mark` beside `state.db`."""
    return path.with_suffix(".mark")


def open_file(
    path: Path, schemas: Mapping[str, Schema[Any]], accepted: AcceptedDamage
) -> tuple[OpenFile, Sequence[tuple[str, Any]]]:
    """Open or create a data file, and read its rows.  A refused file is not changed.

    Raises Damaged, sqlite3.Error, OSError.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = _Examined(Contents(), 0)
    fresh = not path.exists() or not path.stat().st_size
    if not fresh:
        if _format(path) < datafile.FORMAT:
            _upgrade(path, schemas)
        found = _examine(path, schemas, accepted)
    database = datafile.connect(path)
    try:
        if fresh:
            datafile.transaction(database, lambda: datafile.create(database))
        if found.damaged or found.repairs:
            datafile.transaction(database, lambda: datafile.repair_meta(database, found.damaged, found.repairs))
        opened = OpenFile(path, database, datafile.read_meta(database))
        _settle(opened, found.contents, found.end)
        try:
            opened.write_mark()
        except OSError as error:
            log.warning("cannot write %s: %s", opened.mark.path, error)
    except BaseException:
        database.close()
        raise
    return opened, found.contents.rows


def _format(path: Path) -> int:
    """Return the format of a file, after a check of its structure."""
    with closing(datafile.connect_to_read(path)) as database:
        datafile.check_structure(database)
        return datafile.format_of(database)


def _upgrade(path: Path, schemas: Mapping[str, Schema[Any]]) -> None:
    with closing(datafile.connect(path)) as database:
        version = datafile.format_of(database)
        if version == 0:
            datafile.transaction(database, lambda: datafile.create(database))
            return
        datafile.transaction(database, lambda: upgrade(database, schemas))
        log.info("upgraded data file: %s format=%d, was %d", path, datafile.FORMAT, version)


class _Examined(NamedTuple):
    """The contents of a file, the index to continue from, the damaged numbers of `meta`, and their replacements."""

    contents: Contents
    end: int
    damaged: Sequence[bytes] = ()
    repairs: Mapping[str, int] = {}


def _examine(path: Path, schemas: Mapping[str, Schema[Any]], accepted: AcceptedDamage) -> _Examined:
    """Raises Damaged."""
    with closing(datafile.connect_to_read(path)) as database:
        try:
            damaged: list[bytes] | None = [] if accepted.rows else None
            meta = datafile.read_meta(database, damaged=damaged)
            contents = _intact(datafile.read_rows(database, schemas), accepted)
        except UnicodeDecodeError as error:
            raise Damaged(f"a text in it cannot be read: {error.reason}") from None
        repairs: dict[str, int] = {}
        if damaged or not meta.keys() >= set(datafile.NUMBERS):
            repairs = _repairs(meta, contents, Mark(mark_path(path)).read())
            log.error(
                "accepting a damaged data file: numbers that do not match their checksums are made again: %s", repairs
            )
        index = _compare_mark(OpenFile(path, database, {**meta, **repairs}), accepted)
        return _Examined(contents, index, damaged or (), repairs)


def _repairs(meta: Mapping[str, int], contents: Contents, mark: Point | Unreadable) -> dict[str, int]:
    """Return replacements of damaged numbers: no index falls; the named indexes and the history start again."""
    index = meta.get("index", 0)
    if "index" not in meta:
        index = max((_index_of(row) for _, row in contents.rows), default=0)
        index = index if isinstance(mark, Unreadable) else max(index, mark.index)
    own_id = secrets.randbits(63) if isinstance(mark, Unreadable) else mark.file_id
    return {"id": meta.get("id", own_id), "index": index, "floor": index, "history_epoch": index}


def _index_of(row: Any) -> int:
    """Return the index at which a row was written."""
    row = row.service if isinstance(row, ServiceInstance) else row
    return int(getattr(row, "modify_index", 0) or getattr(row, "index", 0))


def _intact(contents: Contents, accepted: AcceptedDamage) -> Contents:
    """Return the contents.  Raises Damaged for rows that do not match their checksum, unless that is accepted."""
    if contents.damaged and not accepted.rows:
        raise Damaged(f"{len(contents.damaged)} rows are damaged: {_list(contents.damaged)}", acceptable=True)
    return contents


def _compare_mark(opened: OpenFile, accepted: AcceptedDamage) -> int:
    """Return the index to continue from.  Raises Damaged when acknowledged commits are missing."""
    mark, index = opened.mark.read(), opened.index
    if isinstance(mark, Unreadable):
        if index > opened.floor:
            log.warning("%s %s: a loss of commits before this start would not be noticed", opened.mark.path, mark.value)
        return index
    if mark.file_id != opened.id:
        log.warning("%s belongs to another data file and is replaced", opened.mark.path)
        return index
    if mark.index > index:
        problem = (
            f"it ends at index {index}, but writes up to index {mark.index} were acknowledged; its write-ahead log is "
            "cut off or damaged, or an older copy was put in its place"
        )
    elif mark.index == index and mark.chain != opened.chain:
        problem = f"what it holds at index {index} is not what was acknowledged"
    else:
        return index
    if not accepted.commits:
        raise Damaged(problem, acceptable=True)
    log.error("accepting a damaged data file: %s", problem)
    return mark.index  # so that no index is used twice


def _settle(opened: OpenFile, contents: Contents, index: int) -> None:
    """Set bad rows aside, and raise the index to that of the last acknowledged commit."""
    bad = [*contents.unusable, *contents.damaged]

    def move() -> None:
        datafile.set_aside(opened.database, bad)
        datafile.set_index(opened.database, index, opened.chain)

    if bad or opened.index < index:
        datafile.transaction(opened.database, move)
        opened.index = index
    if bad:
        log.error(
            "set aside %d rows that cannot be used; table `aside` of %s has them: %s",
            len(bad), opened.path, _list(bad),
        )  # fmt: skip


def read_on_full_disk(path: Path, schemas: Mapping[str, Schema[Any]], accepted: AcceptedDamage) -> Loaded:
    """Read a data file of any format without writing.  Raises Damaged, sqlite3.Error, OSError."""
    with closing(datafile.connect_on_full_disk(path)) as database:
        datafile.check_structure(database)
        version = datafile.format_of(database)
        if version == 0:
            return Loaded((floor_row(0),), 0)
        contents = _intact(datafile.read_rows(database, schemas, sums=version > 1), accepted)
        if contents.unusable:
            log.error("%d rows cannot be used: %s", len(contents.unusable), _list(contents.unusable))
        if version == 1:
            index = database.execute("SELECT value FROM meta WHERE name = 'index'").fetchone()[0]
            return Loaded([*contents.rows, floor_row(index)], index)
        opened = OpenFile(path, database, datafile.read_meta(database))
        return Loaded([*contents.rows, *opened.index_rows()], _compare_mark(opened, accepted))


def read_copy(path: Path, schemas: Mapping[str, Schema[Any]]) -> Loaded:
    """Read all rows of a file that is in use, at one moment.  Raises Damaged, sqlite3.Error."""
    with closing(datafile.connect_to_read(path)) as database:
        database.execute("BEGIN")
        meta = datafile.read_meta(database)
        contents = _intact(datafile.read_rows(database, schemas), ACCEPT_NONE)
        return Loaded([*contents.rows, *index_rows(meta)], meta["index"])


def moved_to(path: Path) -> str:
    """Return the ID of the cluster that holds the state of a file now, "" for none.  Raises sqlite3.Error."""
    if not path.exists() or not path.stat().st_size:
        return ""
    with closing(datafile.connect_to_read(path)) as database:
        return datafile.moved_to(database)


def index_rows(meta: Mapping[str, int]) -> list[tuple[str, NamedIndex]]:
    """Return the named indexes among the numbers of `meta`, as rows."""
    named = {name.removeprefix(NAMED): value for name, value in meta.items() if name.startswith(NAMED)}
    return [
        floor_row(meta[datafile.FLOOR]),
        *((INDEXES.name, NamedIndex(name, value)) for name, value in named.items()),
    ]


def _list(rows: Sequence[BadRow]) -> str:
    more = f" and {len(rows) - MAX_SHOWN} more" if len(rows) > MAX_SHOWN else ""
    return ", ".join(map(str, rows[:MAX_SHOWN])) + more


def damage_advice(path: Path, reason: object) -> str:
    """Return the error for an operator whose data file is refused."""
    advice = f"Restore the folder from a backup, or move {path.name}, its -wal file and {mark_path(path).name} away to start empty"
    if isinstance(reason, Damaged) and reason.acceptable:
        advice += f", or create a file {path.parent / ACCEPT_FILE} to start once with what is intact"
    return f"the data file {path} cannot be used: {reason}. Nothing was changed. {advice}."


def disk_is_full(path: Path) -> str:
    """Return the error for a full disk, which SQLite often reports as something else; empty when there is room."""
    try:
        free = shutil.disk_usage(path.parent).free
    except OSError:
        return ""
    return (
        f"cannot write to {path}: the disk is full ({free} bytes are free), make room" if free < MIN_FREE_BYTES else ""
    )
