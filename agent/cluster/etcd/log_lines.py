"""Turns the log of etcd into messages of the agent's log."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Any

import msgspec

_LEVELS = {"debug": logging.DEBUG, "info": logging.DEBUG, "warn": logging.INFO}
#: Parts of etcd that warn of every connection that comes and goes, or of every start.
_CHATTY = ("rafthttp/", "auth/store.go", "etcdserver/cluster_util.go", "embed/")
_MAX_KEPT = 200  # messages that were written
_DAMAGED = re.compile(
    r"corrupt|crc mismatch|unexpected EOF|snapshot file doesn't exist|failed to (read|open) WAL", re.IGNORECASE
)
_DISK_FULL = "no space left on device"
REPEAT_S = 60.0  # before a message with other fields is written again
_HIDDEN = {"level", "ts", "caller", "msg", "stacktrace", "error", "request"}


class LogLines:
    """The lines of one etcd; without a quorum it repeats some messages twice a second.

    now: a clock in seconds that never goes back.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._written: dict[str, float] = {}
        self.failure = ""  # the last warning since `ended`

    def parse(self, line: bytes) -> tuple[int, str]:
        """Return the level (of `logging`) and the text of a line; a message that was written a moment ago is for debugging."""
        level, text, message = _parse(line)
        if level >= logging.WARNING:
            self.failure = message
        return self._limited(level, message), text

    def ended(self, how: str) -> tuple[int, str]:
        """Return the level and the text for an etcd that has ended and is started again, with its reason."""
        reason, self.failure = self.failure, ""
        text = f"etcd {how}{f' ({reason})' if reason else ''}; starting it again until it goes on"
        if _DISK_FULL in reason:
            text += ". Make room on the disk of the data folder"
        if _DAMAGED.search(reason):
            text += (
                ". If its data are damaged and the other servers go on, stop this agent, move the folder raft/cluster/etcd away,"
                " and start it: the leader adds it again"
            )
        return self._limited(logging.WARNING, text), text

    def _limited(self, level: int, message: str) -> int:
        now = self._now()
        if level < logging.INFO:
            return level
        if now - self._written.get(message, -REPEAT_S) < REPEAT_S:
            return logging.DEBUG
        if len(self._written) >= _MAX_KEPT:
            self._written.clear()
        self._written[message] = now
        return level


def _parse(line: bytes) -> tuple[int, str, str]:
    """Return level, text, and the text without fields."""
    try:
        found: dict[str, Any] = msgspec.json.decode(line, type=dict)
    except msgspec.MsgspecError:
        text = line.decode(errors="replace").rstrip()
        return logging.INFO, text, text
    level = _LEVELS.get(str(found.get("level")), logging.WARNING)
    if str(found.get("caller", "")).startswith(_CHATTY):
        level = logging.DEBUG
    fields = "".join(f" {name}={value}" for name, value in found.items() if name not in _HIDDEN)
    reason = f": {found['error']}" if found.get("error") else ""
    message = f"{found.get('msg', '')}{reason}"
    return level, f"{message}{fields}", message
