"""A key and its value (https://developer.hashicorp.com/consul/api-docs/kv).

Rows are not tracked by the garbage collector: there may be millions, and none refers to an object that refers back.
"""

from __future__ import annotations

import msgspec

from pyconsul.agent.model.wire import camel


class KVEntry(msgspec.Struct, frozen=True, gc=False, rename=camel, omit_defaults=True):
    """One row of the key-value store; on the wire `value` is base64, and null when it is empty.

    `lock_index` counts the times the key was locked; `session` holds the lock, and is absent when nobody does.
    """

    lock_index: int
    key: str
    flags: int
    value: bytes | None
    create_index: int
    modify_index: int
    session: str = ""


class Tombstone(msgspec.Struct, frozen=True, gc=False):
    """Where a key was deleted, so that the index of its prefix does not fall; kept for a while only."""

    key: str
    index: int
    time: float


class LockDelay(msgspec.Struct, frozen=True, gc=False):
    """Until when (Unix seconds) a key cannot be locked, because a session that held it ended; `delay`: seconds in all."""

    key: str
    until: float
    delay: float = 60.0
