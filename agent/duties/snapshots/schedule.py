"""When the next snapshot is due, and which files are kept.  Pure: names of files and the time are passed in."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

_FORMAT = "snapshot-%Y-%m-%dT%H%M%SZ.snap"


class Schedule(msgspec.Struct, frozen=True):
    """Settings.  interval_s: seconds between two snapshots, 0: none.  retain: number of files to keep."""

    interval_s: float
    retain: int
    folder: Path


def name_at(now: float) -> str:
    """Return the name of a snapshot that is taken at a time (Unix seconds)."""
    return datetime.fromtimestamp(now, UTC).strftime(_FORMAT)


def taken_at(name: str) -> float | None:
    """Return when a file was taken, by its name; None for any other file."""
    try:
        return datetime.strptime(name, _FORMAT).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def due_in(names: Iterable[str], interval_s: float, now: float) -> float:
    """Return the seconds until the next snapshot is due; at most the interval, even after a change of the clock."""
    last = max((taken for name in names if (taken := taken_at(name)) is not None), default=None)
    return 0.0 if last is None else min(max(0.0, last + interval_s - now), interval_s)


def surplus(names: Iterable[str], retain: int) -> list[str]:
    """Return the files to remove: all snapshots but the latest ones."""
    return sorted((name for name in names if taken_at(name) is not None), reverse=True)[retain:]
