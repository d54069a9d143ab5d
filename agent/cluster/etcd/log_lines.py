"""Turns the log of etcd into messages of the agent's log."""

from __future__ import annotations

import logging
from typing import Any

import msgspec

_LEVELS = {"debug": logging.DEBUG, "info": logging.DEBUG, "warn": logging.INFO}
#: Parts of etcd that warn of every connection that comes and goes, or of every start.
_CHATTY = ("rafthttp/", "auth/store.go", "etcdserver/cluster_util.go", "embed/")
_HIDDEN = {"level", "ts", "caller", "msg", "stacktrace", "error", "request"}


def parse_line(line: bytes) -> tuple[int, str]:
    """Return the level (of `logging`) and the text of a line."""
    try:
        found: dict[str, Any] = msgspec.json.decode(line, type=dict)
    except msgspec.MsgspecError:
        return logging.INFO, line.decode(errors="replace").rstrip()
    level = _LEVELS.get(str(found.get("level")), logging.WARNING)
    if str(found.get("caller", "")).startswith(_CHATTY):
        level = logging.DEBUG
    fields = "".join(f" {name}={value}" for name, value in found.items() if name not in _HIDDEN)
    reason = f": {found['error']}" if found.get("error") else ""
    return level, f"{found.get('msg', '')}{reason}{fields}"
