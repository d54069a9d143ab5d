"""Stores registrations over the API, so that they survive a restart."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeAlias

from pyconsul.agent.state.contract import Schema
from pyconsul.agent.state.write_txn import WriteTxn
from pyconsul.agent.sync.local_rows import REPORTS, TTLReport

Change: TypeAlias = tuple[Schema[Any], str, Any]  # table, key, and the row or None when it is removed
Commit: TypeAlias = Callable[[Callable[[WriteTxn], None]], Awaitable[None]]

REPORT_DELAY = 1.0  # seconds within which reports on TTL checks are written together

log = logging.getLogger("agent.sync")


class LocalStore:
    """Writes rows with `commit`; without one nothing is kept (`-dev`)."""

    def __init__(self, commit: Commit | None) -> None:
        self._commit = commit
        self._reports: dict[str, TTLReport] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def durable(self) -> bool:
        """Return whether anything is stored."""
        return self._commit is not None

    async def write(self, changes: Iterable[Change]) -> None:
        """Write rows; when this returns they are durable.  Raises what `commit` raises."""
        if self._commit is None:
            return
        rows = list(changes)
        if rows:
            await self._commit(lambda txn: _write(txn, rows))

    def report(self, report: TTLReport) -> None:
        """Store the last report on a TTL check, after a short delay and together with others."""
        if self._commit is None:
            return
        self._reports[report.check_id] = report
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(REPORT_DELAY, self._write_soon)

    def forget(self, check_id: str) -> None:
        """Drop a waiting report."""
        self._reports.pop(check_id, None)

    async def stop(self) -> None:
        """Write what waits."""
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            await self._task
        await self._write_reports()

    def _write_soon(self) -> None:
        self._timer = None
        self._task = asyncio.get_running_loop().create_task(self._write_reports())

    async def _write_reports(self) -> None:
        reports, self._reports = self._reports, {}
        try:
            await self.write([(REPORTS, one.check_id, one) for one in reports.values()])
        except Exception as error:
            log.warning("cannot store reports on TTL checks; a restart loses them: %s", error)


def _write(txn: WriteTxn, rows: Iterable[Change]) -> None:
    for schema, key, row in rows:
        if txn[schema].get(key) == row:
            continue
        if row is not None:
            txn.put(schema, row)
        else:
            txn.delete(schema, key)
