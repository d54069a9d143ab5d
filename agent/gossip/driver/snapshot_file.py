"""Keeps the snapshot file in step with the pool: lines are gathered, and written off the event loop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path

from pyconsul.agent.common.files.atomic_file import write_file
from pyconsul.agent.common.reasons import reason
from pyconsul.agent.gossip.driver.pool_log import PoolLog
from pyconsul.agent.gossip.serf.effects import MemberChanged, QueryReceived, UserEventReceived
from pyconsul.agent.gossip.serf.snapshot import FLUSH_INTERVAL_S, Contents, Recorder, replay
from pyconsul.agent.gossip.settings import PoolError

_ENCODING, _ERRORS = "utf-8", "surrogateescape"


def read_snapshot(path: Path, *, rejoin_after_leave: bool) -> tuple[Contents, int]:
    """Return what a snapshot file says and its size in bytes; a missing one is empty. Raises PoolError."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        text = b""
    except OSError as error:
        raise PoolError(f"cannot read snapshot file {path}: {reason(error)}") from error
    return replay(text.decode(_ENCODING, _ERRORS), rejoin_after_leave=rejoin_after_leave), len(text)


class SnapshotFile:
    """Records what happens in a pool. `executor` writes; one write at a time."""

    def __init__(
        self, path: Path, recorder: Recorder, member_time: Callable[[], int], executor: Executor, log: PoolLog
    ) -> None:
        """`member_time` returns the highest witnessed time of the member clock."""
        self._path = path
        self._recorder = recorder
        self._member_time = member_time
        self._executor = executor
        self._log = log
        self._recorded_time = 0
        self._timer: asyncio.TimerHandle | None = None
        self._write: asyncio.Future[None] | None = None
        self._is_broken = False  # a write has failed, perhaps in the middle of a line

    def record(self, effect: MemberChanged | UserEventReceived | QueryReceived) -> None:
        """Record a change of a member, or the time of an event or query."""
        self._recorder.record((effect,))
        self._flush_later()

    def check_clock(self) -> None:
        """Record the member clock soon if it has risen."""
        if self._timer is None and self._member_time() > self._recorded_time:
            self._flush_later()

    def leave(self) -> None:
        """Record that this agent leaves."""
        self._recorder.leave()
        self._flush_later()

    async def close(self) -> None:
        """Write what is left."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        while self._write is not None:
            await asyncio.wait([self._write])
        self._start_write()
        if self._write is not None:
            await asyncio.wait([self._write])

    def _flush_later(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_INTERVAL_S, self._flush)

    def _flush(self) -> None:
        self._timer = None
        if self._write is not None:  # a slow disk
            self._flush_later()
        else:
            self._start_write()

    def _start_write(self) -> None:
        self._recorded_time = self._member_time()
        self._recorder.clocks(clock=self._recorded_time)
        if self._is_broken or self._recorder.must_compact:
            work, text = _replace, self._recorder.compact()
        else:
            work, text = _append, self._recorder.take()
        if text:
            data = text.encode(_ENCODING, _ERRORS)
            self._write = asyncio.get_running_loop().run_in_executor(self._executor, work, self._path, data)
            self._write.add_done_callback(self._written)

    def _written(self, write: asyncio.Future[None]) -> None:
        self._write = None
        error = write.exception()
        self._is_broken = error is not None
        if error is not None:
            self._log.line("snapshot", f"cannot write snapshot file: path={self._path} error={reason(error)!r}")


def _append(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "ab", buffering=0) as file:
        written = file.write(data)
    if written != len(data):
        raise OSError(f"only {written} of {len(data)} bytes were written")


def _replace(path: Path, data: bytes) -> None:
    write_file(path, data)
