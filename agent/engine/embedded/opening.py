"""Opens a data file for an agent's start: repairs nothing, upgrades an older format, and says what is wrong.

Three kinds of trouble are told apart:

- Damage: the file's structure, a checksum, or acknowledged commits that are missing (see `mark`).  Refused with advice, since an
  agent that serves part of what it acknowledged is worse than one that does not start.  The file `accept-damage` accepts it once.
- Rows that are intact but cannot be used: set aside with a log message, and kept in the file.
- No room on the disk: see `read_without_room`.
"""

from __future__ import annotations

import logging
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
from pyconsul.agent.state.table import Schema

ACCEPT = "accept-damage"  # a file in the data folder; see `damage_advice`
ROOM = 256 << 10  # free bytes; with fewer, a failure is reported as a full disk
SHOWN = 5  # bad rows that a message names

log = logging.getLogger("agent.engine")


class Spare(NamedTuple):
    """Which damage is accepted: rows that do not match their checksum, acknowledged commits that are missing."""

    rows: bool
    commits: bool


NOTHING, EVERYTHING = Spare(False, False), Spare(True, True)


class Opened:
    """An open data file: its connection, its mark, and where it stands."""

    def __init__(self, path: Path, database: sqlite3.Connection, meta: Mapping[str, int]) -> None:
        self.path, self.database, self.mark = path, database, Mark(mark_path(path))
        self.id, self.index, self.floor = meta["id"], meta["index"], meta["floor"]
        self.chain = self.next_chain = datafile.chain_of(database)
        self.named = _named(meta)

    def write_mark(self) -> None:
        """Raises OSError."""
        self.mark.write(Point(self.id, self.index, self.chain))

    def close(self) -> None:
        with suppress(OSError):
            self.mark.close()
        self.database.close()


def mark_path(path: Path) -> Path:
    """The mark of a data file: `state.mark` beside `state.db`."""
    return path.with_suffix(".mark")


def open_file(path: Path, schemas: Mapping[str, Schema[Any]], spare: Spare) -> tuple[Opened, Sequence[tuple[str, Any]]]:
    """Open or create a data file, and read its rows.  A file that is refused is left as it is.

    Raises Damaged, sqlite3.Error, OSError.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    contents, index = Contents(), 0
    fresh = not path.exists() or not path.stat().st_size
    if not fresh:
        if _format(path) < datafile.FORMAT:
            _upgrade(path, schemas)
        contents, index = _examine(path, schemas, spare)
    database = datafile.connect(path)
    try:
        if fresh:
            datafile.transaction(database, lambda: datafile.create(database))
        opened = Opened(path, database, datafile.read_meta(database))
        _settle(opened, contents, index)
        try:
            opened.write_mark()
        except OSError as error:
            log.warning("cannot write %s: %s", opened.mark.path, error)
    except BaseException:
        database.close()
        raise
    return opened, contents.rows


def _format(path: Path) -> int:
    """The format of a file whose structure is sound."""
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


def _examine(path: Path, schemas: Mapping[str, Schema[Any]], spare: Spare) -> tuple[Contents, int]:
    """What the file holds, and the index to go on from.  Raises Damaged."""
    with closing(datafile.connect_to_read(path)) as database:
        try:
            opened = Opened(path, database, datafile.read_meta(database))
            index = _compare_mark(opened, spare)
            return _intact(datafile.read_rows(database, schemas), spare), index
        except UnicodeDecodeError as error:
            raise Damaged(f"a text in it cannot be read: {error.reason}") from None


def _intact(contents: Contents, spare: Spare) -> Contents:
    """Raises Damaged unless every row matches its checksum, or those that do not are spared."""
    if contents.damaged and not spare.rows:
        raise Damaged(f"{len(contents.damaged)} rows are damaged: {_list(contents.damaged)}")
    return contents


def _compare_mark(opened: Opened, spare: Spare) -> int:
    """The index to go on from.  Raises Damaged when acknowledged commits are missing."""
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
    if not spare.commits:
        raise Damaged(problem)
    log.error("accepting a damaged data file: %s", problem)
    return mark.index  # no index is given out twice


def _settle(opened: Opened, contents: Contents, index: int) -> None:
    """Move bad rows out of the way, and bring the index up to where it was."""
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


def read_without_room(path: Path, schemas: Mapping[str, Schema[Any]], spare: Spare) -> Loaded:
    """Read a data file of any format without writing anything.  Raises Damaged, sqlite3.Error, OSError."""
    with closing(datafile.connect_without_room(path)) as database:
        datafile.check_structure(database)
        version = datafile.format_of(database)
        if version == 0:
            return Loaded((), 0)
        contents = _intact(datafile.read_rows(database, schemas, sums=version > 1), spare)
        if contents.unusable:
            log.error("%d rows cannot be used: %s", len(contents.unusable), _list(contents.unusable))
        if version == 1:
            index = database.execute("SELECT value FROM meta WHERE name = 'index'").fetchone()[0]
            return Loaded(contents.rows, index, floor=index)
        opened = Opened(path, database, datafile.read_meta(database))
        return Loaded(contents.rows, _compare_mark(opened, spare), opened.named, opened.floor)


def _named(meta: Mapping[str, int]) -> dict[str, int]:
    return {name.removeprefix(NAMED): value for name, value in meta.items() if name.startswith(NAMED)}


def _list(rows: Sequence[BadRow]) -> str:
    more = f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    return ", ".join(map(str, rows[:SHOWN])) + more


def damage_advice(path: Path, reason: object) -> str:
    """What an operator reads when a data file is refused."""
    return (
        f"the data file {path} cannot be used: {reason}. Nothing was changed. Restore the folder from a backup, "
        f"or move {path.name}, its -wal file and {mark_path(path).name} away to start empty, "
        f"or create a file {path.parent / ACCEPT} to start once with what is intact."
    )


def disk_is_full(path: Path) -> str:
    """What to say when there is no room on the disk (SQLite's own words often tell another story); empty when there is."""
    try:
        free = shutil.disk_usage(path.parent).free
    except OSError:
        return ""
    return f"cannot write to {path}: the disk is full ({free} bytes are free), make room" if free < ROOM else ""
