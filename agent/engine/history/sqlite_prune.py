"""Finds what keys have too many changes of, beside the writing: it takes a look at the whole table."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

EVERY = 4096  # changes between two sweeps, at least; a quarter of the table when that is more
_SURPLUS = """
SELECT key, n, id, idx, time FROM (
    SELECT key, id, idx, time, row_number() OVER (PARTITION BY key ORDER BY id DESC) AS n FROM kv_history
) WHERE n >= ? ORDER BY key, n
"""

log = logging.getLogger("agent.engine")


class Surplus(NamedTuple):
    """Changes of one key to be dropped, by ID; the newest of them is at `since`, and `mark` is then the oldest that stays."""

    mark: int
    since: int
    since_time: float
    ids: list[int]


class Sweeper:
    """Sweeps a file now and then, in a thread of its own."""

    def __init__(self, path: Path, versions: int, every: int = EVERY) -> None:
        self._path, self._versions, self._least = path, versions, every
        self._every, self._added = every, 0
        self._found: list[Surplus] = []
        self._running: Future[tuple[list[Surplus], int]] | None = None
        self._thread: ThreadPoolExecutor | None = None

    def take(self, added: int, most: int) -> Iterator[Surplus]:
        """What is to be dropped now, about `most` changes; `added`: those that were written since the last call."""
        self._added += added
        if self._running is not None and self._running.done():
            self._collect(self._running)
            self._running = None
        while self._found and most > 0:
            surplus = self._found.pop()
            most -= len(surplus.ids)
            yield surplus
        if self._added >= self._every and self._running is None and not self._found:
            self._added = 0
            self._thread = self._thread or ThreadPoolExecutor(1, "history")
            self._running = self._thread.submit(sweep, self._path, self._versions)

    def _collect(self, swept: Future[tuple[list[Surplus], int]]) -> None:
        try:
            self._found, rows = swept.result()
        except sqlite3.Error as error:
            log.warning("the history of keys cannot be swept, it will be tried again: %s", error)
            return
        self._every = max(self._least, rows // 4)

    def close(self) -> None:
        """Wait for a sweep that runs."""
        if self._thread is not None:
            self._thread.shutdown()


def sweep(path: Path, versions: int) -> tuple[list[Surplus], int]:
    """What each key has too much, and how many changes there are.  Blocks.  Raises sqlite3.Error."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA query_only = ON")
        rows = database.execute("SELECT count(*) FROM kv_history").fetchone()[0]
        found = []
        for _, changes in groupby(database.execute(_SURPLUS, (versions,)), key=lambda row: row[0]):
            (_, _, mark, _, _), *dropped = changes
            if dropped:
                _, _, _, since, since_time = dropped[0]
                found.append(Surplus(mark, since, since_time, [row[2] for row in dropped]))
    return found, rows
