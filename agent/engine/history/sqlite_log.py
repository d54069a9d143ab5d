"""The history of keys in the embedded engine's file: a table that is written in the same transaction as the rows.

A commit only appends to it, a page or two: an index by key would cost a page for each key.  So reading a key scans the whole
table, on a separate connection.  Pruning follows later, a little with each commit: the oldest changes when there are too many
bytes or they are too old, and the changes beyond the number of versions of a key when a scan has found them.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from pyconsul.agent.engine.embedded.checksums import change_sum
from pyconsul.agent.engine.embedded.datafile import DELETE_META, put_meta, transaction
from pyconsul.agent.engine.history.contract import OVERHEAD_BYTES, Retention
from pyconsul.agent.engine.history.sqlite_prune import Prunable, PruneScanner
from pyconsul.agent.state.changeset import Changeset
from pyconsul.agent.state.schemas import KV

MIN_DROPPED = 512  # changes that one commit may drop
MAX_DROPPED = 20_000  # changes that are dropped at once without a commit
MEASURED_TOGETHER = 256  # changes
MAX_AGE_CHECK_INTERVAL_S = 60.0
TABLE = """
CREATE TABLE IF NOT EXISTS kv_history (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL, idx INTEGER NOT NULL, time REAL NOT NULL,
    since INTEGER, since_time REAL, row BLOB, row_sum INTEGER, sum INTEGER NOT NULL
)
"""
SIZE = f"coalesce(length(row), 0) + length(key) + {OVERHEAD_BYTES}"
_EXCLUDED = "history_exclude/"  # before a prefix in `meta`: its keys have no history
_BELOW = "instr(key, ?1) = 1"
_AMONG = "id IN (SELECT value FROM json_each(?))"
_COLUMNS = "INSERT INTO kv_history (id, idx, key, time, sum, row, row_sum)"
# A change whose key this commit has written before, and one whose previous row is still stored.
_ADD_KNOWN = f"{_COLUMNS} VALUES (?, ?, ?, ?, ?, ?, ?)"
_ADD_STORED = (
    f"{_COLUMNS} SELECT ?1, ?2, ?3, ?4, ?5, rows.row, rows.sum"
    f" FROM (SELECT 1) LEFT JOIN rows ON rows.tbl = '{KV.name}' AND rows.key = ?3"
)

Write = tuple[str, bytes | None, int]  # a key, its row in the stored form, and the row's checksum


class HistoryLog:
    """The history table of one open file; its methods run in the engine's thread, inside a transaction."""

    def __init__(self, path: Path, database: sqlite3.Connection, retention: Retention) -> None:
        self._database, self._retention = database, retention
        self._scanner = PruneScanner(path, retention.versions)
        self._size = 0  # bytes of the changes whose IDs are at most `_measured`
        self._measured = self._last = 0  # IDs
        self._saved = (0, 0, 0)  # these three, as they were after the last commit that is kept
        self._next_age_check = 0.0  # Unix seconds
        self.on = retention.on

    def open(self, index: int) -> None:
        """Resume after the last commit; a history that was off until now begins at `index`."""
        run = self._database.execute
        if not self.on:
            if run("SELECT 1 FROM sqlite_master WHERE name = 'kv_history'").fetchone():
                run("DELETE FROM meta WHERE name LIKE 'history%'")
                run("DROP TABLE kv_history")  # it may hold secrets
            return
        run(TABLE)
        if run("SELECT 1 FROM meta WHERE name = 'history_floor'").fetchone() is None:
            run("BEGIN IMMEDIATE")
            self._begin(index)
            run("COMMIT")
        transaction(self._database, lambda: self._exclude(index))
        self._last = run("SELECT max(id) FROM kv_history").fetchone()[0] or 0
        self._measure()
        self.done(kept=True)

    def _exclude(self, index: int) -> None:
        """Drop the changes of newly excluded keys; the history begins again at `index` when a prefix is not excluded any more."""
        run = self._database.execute
        names = run("SELECT name FROM meta WHERE name GLOB ?", (f"{_EXCLUDED}*",)).fetchall()
        before = {name.removeprefix(_EXCLUDED) for (name,) in names}
        now = self._retention.exclude
        if any(not prefix.startswith(now) for prefix in before):
            self._set("history_floor", index)
        for prefix in before.difference(now):
            run(DELETE_META, (_EXCLUDED + prefix,))
        for prefix in set(now) - before:
            run(f"DELETE FROM kv_history WHERE {_BELOW}", (prefix,))
            self._set(_EXCLUDED + prefix, 1)

    def retain(self, retention: Retention, index: int) -> None:
        """Use other limits from now on; `index`: that of the last commit.  Not inside a transaction."""
        before = self._retention
        self._retention, self.on = retention, retention.on
        try:
            self.open(index)
        except BaseException:
            self._retention, self.on = before, before.on
            raise
        self._scanner.keep(retention.versions)

    def prune(self, now: float) -> None:
        """Drop changes that are too old, or all together too large.  Not inside a transaction."""
        if not self.on:
            return
        oldest = self._database.execute("SELECT time FROM kv_history ORDER BY id LIMIT 1").fetchone()
        if oldest is None or (oldest[0] >= now - self._retention.age_s and self._size <= self._retention.size_bytes):
            return
        self._next_age_check = 0.0
        kept = False
        try:
            transaction(self._database, lambda: self._drop_old(now, MAX_DROPPED))
            kept = True
        finally:
            self.done(kept)

    def close(self) -> None:
        self._scanner.close()

    def _begin(self, index: int) -> None:
        self._database.execute("DELETE FROM kv_history")
        self._set("history_floor", index)
        self._size, self._measured = 0, self._last

    def _set(self, name: str, value: int) -> None:
        put_meta(self._database, {name: value})

    def _measure(self) -> None:
        """Add the sizes of the changes that are not measured yet."""
        found = self._database.execute(f"SELECT total({SIZE}) FROM kv_history WHERE id > ?", (self._measured,))
        self._size += int(found.fetchone()[0])
        self._measured = self._last

    def replace(self, index: int) -> None:
        """Drop everything: another state takes the place of the rows."""
        if self.on:
            self._begin(index)
            self._set("history_epoch", index)

    def record(self, changesets: Sequence[Changeset], written: Sequence[Sequence[Write]]) -> None:
        """Append the previous row of each key, taken from the file.

        written: the keys of each changeset with their new rows, not stored yet.
        """
        excluded = self._retention.exclude
        now: dict[str, tuple[bytes | None, int]] = {}  # written by this commit already
        stored, known = [], []
        for changeset, keys in zip(changesets, written, strict=True):
            here: dict[str, tuple[bytes | None, int]] = {}
            index, time = changeset.index, changeset.now
            for key, row, checksum in keys:
                if excluded and key.startswith(excluded):
                    continue
                if key not in here:
                    self._last += 1
                    change = (self._last, index, key, time, change_sum(key, index, time))
                    if key in now:
                        known.append((*change, *now[key]))
                    else:
                        stored.append(change)
                here[key] = (row, checksum)
            now |= here
        added = len(stored) + len(known)
        if added:
            self._database.executemany(_ADD_STORED, stored)
            if known:
                self._database.executemany(_ADD_KNOWN, known)
            if self._last - self._measured >= MEASURED_TOGETHER:
                self._measure()
            self._prune_versions(added)
        self._drop_old(changesets[-1].now, max(MIN_DROPPED, 2 * added))

    def purge(self, changesets: Sequence[Changeset]) -> None:
        """Delete the changes of keys that were purged, up to the purge; `changesets` are recorded already."""
        run = self._database.execute
        for changeset in changesets:
            for key, tree in changeset.purged:
                where = f"idx <= ?2 AND {_BELOW if tree else 'key = ?1'}"
                self._measure()
                size = run(f"SELECT total({SIZE}) FROM kv_history WHERE {where}", (key, changeset.index)).fetchone()
                run(f"DELETE FROM kv_history WHERE {where}", (key, changeset.index))
                self._size -= int(size[0])

    def _prune_versions(self, added: int) -> None:
        """Drop what the last scan found, of each key all in one commit, so that it never has a gap."""
        run = self._database.execute
        for found in self._scanner.take(added, max(MIN_DROPPED, 2 * added)):
            self._measure()
            self._bound(found)
            ids = json.dumps(found.ids)
            self._size -= int(run(f"SELECT total({SIZE}) FROM kv_history WHERE {_AMONG}", (ids,)).fetchone()[0])
            run(f"DELETE FROM kv_history WHERE {_AMONG}", (ids,))  # some may have become too old meanwhile

    def _bound(self, pruned: Prunable) -> None:
        """Set in the oldest change that stays from which index on its row is known."""
        run = self._database.execute
        found = run("SELECT key, idx, time FROM kv_history WHERE id = ?", (pruned.mark,)).fetchone()
        if found is not None:
            key, index, time = found
            checked = change_sum(key, index, time, pruned.since, pruned.since_time)
            run(
                "UPDATE kv_history SET since = ?, since_time = ?, sum = ? WHERE id = ?",
                (pruned.since, pruned.since_time, checked, pruned.mark),
            )

    def _drop_old(self, now: float, max_changes: int) -> None:
        """Drop the oldest changes, up to `max_changes`, while they are too old or all together too large."""
        limit = self._retention.size_bytes
        if self._size <= limit and now < self._next_age_check:
            return
        self._next_age_check = now + min(MAX_AGE_CHECK_INTERVAL_S, self._retention.age_s / 8)
        self._measure()
        enough, cutoff = limit - limit // 16 if self._size > limit else limit, now - self._retention.age_s
        run = self._database.execute
        floor = last = 0
        for number, index, time, size in run(
            f"SELECT id, idx, time, {SIZE} FROM kv_history ORDER BY id LIMIT ?", (max_changes,)
        ):
            if self._size <= enough and time >= cutoff:
                break
            floor, last = index, number
            self._size -= size
        if last:
            run("DELETE FROM kv_history WHERE id <= ?", (last,))
            self._set("history_floor", floor)

    def done(self, kept: bool) -> None:
        """End the transaction; `kept`: it was committed."""
        if kept:
            self._saved = self._size, self._measured, self._last
        else:
            (self._size, self._measured, self._last), self._next_age_check = self._saved, 0.0
