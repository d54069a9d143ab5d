"""Finds the changes beyond the number of versions of each key: a scan of the whole table in a thread, while writes continue."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

MIN_SCAN_CHANGES = 4096  # changes between two scans; a quarter of the table when that is more
_BEYOND = """
SELECT key, n, id, idx, time FROM (
    SELECT key, id, idx, time, row_number() OVER (PARTITION BY key ORDER BY id DESC) AS n FROM kv_history
) WHERE n >= ? ORDER BY key, n
"""

log = logging.getLogger("agent.engine")


class Prunable(NamedTuple):
    """Changes of one key to drop.

    ids: the changes; the newest of them was made at index `since`.  mark: ID of the oldest change that stays.
    """

    mark: int
    since: int
    since_time: float
    ids: list[int]


class PruneScanner:
    """Scans a file from time to time, in a separate thread."""

    def __init__(self, path: Path, versions: int, every: int = MIN_SCAN_CHANGES) -> None:
        self._path, self._versions, self._min_every = path, versions, every
        self._every, self._added = every, 0
        self._found: list[Prunable] = []
        self._running: Future[tuple[list[Prunable], int]] | None = None
        self._scanned_versions = versions  # of the running scan
        self._thread: ThreadPoolExecutor | None = None

    def keep(self, versions: int) -> None:
        """Use another number of versions from the next scan on, which begins soon."""
        if versions != self._versions:
            self._versions, self._found, self._added = versions, [], self._every

    def take(self, added: int, max_changes: int) -> Iterator[Prunable]:
        """Return what to drop now, about `max_changes`; `added`: changes that were written since the last call."""
        self._added += added
        if self._running is not None and self._running.done():
            self._collect(self._running)
            self._running = None
        while self._found and max_changes > 0:
            found = self._found.pop()
            max_changes -= len(found.ids)
            yield found
        if self._added >= self._every and self._running is None and not self._found:
            self._added = 0
            self._thread = self._thread or ThreadPoolExecutor(1, "history")
            self._scanned_versions = self._versions
            self._running = self._thread.submit(scan, self._path, self._versions)

    def _collect(self, scanned: Future[tuple[list[Prunable], int]]) -> None:
        try:
            found, rows = scanned.result()
        except sqlite3.Error as error:
            log.warning("cannot scan the history of keys, retrying later: %s", error)
            return
        if self._scanned_versions == self._versions:
            self._found = found
            self._every = max(self._min_every, rows // 4)

    def close(self) -> None:
        """Wait for a running scan."""
        if self._thread is not None:
            self._thread.shutdown()


def scan(path: Path, versions: int) -> tuple[list[Prunable], int]:
    """Return what to drop of each key, and the number of changes.  Blocks.  Raises sqlite3.Error."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA query_only = ON")
        rows = database.execute("SELECT count(*) FROM kv_history").fetchone()[0]
        found = []
        for _, changes in groupby(database.execute(_BEYOND, (versions,)), key=lambda row: row[0]):
            (_, _, mark, _, _), *dropped = changes
            if dropped:
                _, _, _, since, since_time = dropped[0]
                found.append(Prunable(mark, since, since_time, [row[2] for row in dropped]))
    return found, rows
