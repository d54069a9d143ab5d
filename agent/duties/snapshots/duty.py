"""Saves snapshots at intervals into a folder of the server that leads, and reports success and failure by a check."""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from pyconsul.agent.common.byte_sizes import format_byte_size
from pyconsul.agent.common.files.atomic_file import DraftFile
from pyconsul.agent.common.reasons import reason
from pyconsul.agent.duties.snapshots import schedule
from pyconsul.agent.duties.snapshots.schedule import Schedule
from pyconsul.agent.duties.task_duty import TaskDuty
from pyconsul.agent.model.check import CRITICAL, PASSING
from pyconsul.agent.snapshot import archive, save
from pyconsul.agent.snapshot.errors import SnapshotError
from pyconsul.agent.state.contract import View

RETRY_S = 60.0  # after a failure, or the interval if that is shorter

log = logging.getLogger("agent.snapshot")


class Indicator(Protocol):
    """The check that shows whether snapshots succeed."""

    async def show(self, status: str, output: str) -> None:
        """Set the status and the output; adds the check if it is not there."""

    async def hide(self) -> None:
        """Remove the check."""


class SnapshotSchedule(TaskDuty):
    """The duty.  node_id, address: of this server, for the metadata.  clock: Unix seconds."""

    def __init__(
        self,
        view: View,
        settings: Schedule,
        indicator: Indicator,
        clock: Callable[[], float],
        *,
        node_id: str,
        address: str,
    ) -> None:
        self._view, self._settings, self._indicator, self._clock = view, settings, indicator, clock
        self._node_id, self._address = node_id, address
        self._changed = asyncio.Event()
        self._failure = ""

    def use(self, settings: Schedule) -> None:
        """Follow other settings from now on."""
        if settings != self._settings:
            self._settings = settings
            self._changed.set()

    async def run(self) -> None:
        while True:
            self._changed.clear()
            delay_s: float | None = RETRY_S
            try:
                delay_s = await self._step()
            except Exception:
                log.exception("the schedule of snapshots failed, retrying in %gs", RETRY_S)
            try:
                async with asyncio.timeout(delay_s):
                    await self._changed.wait()
            except TimeoutError:
                pass

    async def stop(self) -> None:
        """End the schedule, and remove the check: another server may lead now."""
        await super().stop()
        try:
            await self._indicator.hide()
        except Exception as error:  # the agent is stopping
            log.debug("cannot remove the check of snapshots: %s", error)

    async def _step(self) -> float | None:
        """Save a snapshot if one is due; return the seconds until the next step, None: until the settings change."""
        settings = self._settings
        if not settings.interval_s:
            await self._indicator.hide()
            return None
        names = await asyncio.to_thread(_names, settings.folder)
        if delay_s := schedule.due_in(names, settings.interval_s, self._clock()):
            if not self._failure:
                await self._indicator.show(PASSING, f"the last snapshot is {max(map(str, names))}")
            return delay_s
        return await self._attempt(settings)

    async def _attempt(self, settings: Schedule) -> float:
        try:
            text = await self.save(settings)
        except (OSError, SnapshotError) as error:
            failure = f"cannot save a snapshot in {settings.folder}: {reason(error)}"
        except Exception as error:
            log.exception("cannot save a snapshot")
            failure = f"cannot save a snapshot: {error}"
        else:
            log.info("%s", text)
            self._failure = ""
            await self._indicator.show(PASSING, text)
            return settings.interval_s
        delay_s = min(RETRY_S, settings.interval_s)
        if failure != self._failure:
            log.error("%s; retrying every %gs", failure, delay_s)
        self._failure = failure
        await self._indicator.show(CRITICAL, failure)
        return delay_s

    async def save(self, settings: Schedule) -> str:
        """Save a snapshot, remove surplus ones, and return a sentence about it.  Raises OSError, SnapshotError."""
        state, now = save.image(self._view), self._clock()
        meta = save.metadata(state, now, self._node_id, self._address)
        path = settings.folder / schedule.name_at(now)

        def write() -> int:
            settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            size = _write(path, state, meta, now)
            for name in schedule.surplus(os.listdir(settings.folder), settings.retain):
                (settings.folder / name).unlink(missing_ok=True)
            return size

        size = await asyncio.to_thread(write)
        return f"saved {path.name}: index {state.index}, {format_byte_size(size)}"


def _write(path: Path, state: save.Image, meta: dict[str, object], now: float) -> int:
    """Write an archive, read it again, and give it its name; return its size in bytes.  Blocks."""
    draft = DraftFile(path.parent, path.name)
    try:
        with _scratch(path.parent) as records:
            save.write(records, state)
            draft.fill(archive.pack(records, meta, now))
        with open(draft.path, "rb") as written, _scratch(path.parent) as read:
            archive.unpack(written, read)
        size = draft.path.stat().st_size
        draft.replace(path)
        return size
    finally:
        draft.discard()


def _scratch(folder: Path) -> BinaryIO:
    """Return a file that vanishes when it is closed."""
    return cast(BinaryIO, tempfile.TemporaryFile(dir=folder, prefix="snapshot-"))


def _names(folder: Path) -> list[str]:
    """Return the names of the snapshots in a folder; none if it cannot be read: the attempt to write says why."""
    try:
        return [name for name in os.listdir(folder) if schedule.taken_at(name) is not None]
    except OSError:
        return []
