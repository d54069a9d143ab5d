"""Rules for every stored row, from the API, a restored snapshot, or an older version.

Types are checked by decoding (see `codec`); these rules hold what types cannot say.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import Any

from pyconsul.agent.common.go.durations import LONGEST_NS, parse_go_duration_s
from pyconsul.agent.model.acl import Token
from pyconsul.agent.model.kv import LockDelay, Tombstone
from pyconsul.agent.model.service import ServiceInstance
from pyconsul.agent.model.session import Session

MAX_INDEX = 1 << 53  # JSON numbers of most languages are exact up to here; 9e15 writes
_INDEXES = ("create_index", "modify_index", "index")
_MAX_LOCK_DELAY = LONGEST_NS  # nanoseconds, a Go duration
_BEHAVIORS = ("release", "delete")


def check_index(index: int) -> None:
    """Raises ValueError unless an index can be that of a state."""
    if not 0 <= index <= MAX_INDEX:
        raise ValueError(f"index {index} is out of range; allowed: 0 to {MAX_INDEX}")


def check_row(row_type: type, row: Any) -> None:
    """Raises ValueError when a row of the right type breaks a rule of its table; the text holds no secret."""
    indexes, rule = _rules_of(row_type)
    if indexes is not None:
        first, last = indexes(row)
        if not 0 <= first <= MAX_INDEX or not 0 <= last <= MAX_INDEX:
            check_index(first)
            check_index(last)
    if rule is not None:
        rule(row)


@cache
def _rules_of(row_type: type) -> tuple[Callable[[Any], tuple[int, int]] | None, Callable[[Any], None] | None]:
    """Return a getter of a row's first and last index, if it has any, and the further rule of its type."""
    names = [name for name in getattr(row_type, "__struct_fields__", ()) if name in _INDEXES]
    assert len(names) <= 2, row_type
    return attrgetter(names[0], names[-1]) if names else None, _RULES.get(row_type)


def _check_instance(row: ServiceInstance) -> None:
    check_index(row.service.create_index)
    check_index(row.service.modify_index)


def _check_session(row: Session) -> None:
    if row.ttl:
        try:
            parse_go_duration_s(row.ttl)
        except ValueError as error:
            raise ValueError(f"session TTL: {error}") from None
    if row.behavior not in _BEHAVIORS:
        raise ValueError(f"session behavior {row.behavior!r:.40}; allowed: release, delete")
    if not -_MAX_LOCK_DELAY <= row.lock_delay <= _MAX_LOCK_DELAY:
        raise ValueError(f"session lock delay {row.lock_delay} ns; allowed: a Go duration")


def _check_token(row: Token) -> None:
    _check_time("token creation time", row.created)
    if row.expires is not None:
        _check_time("token expiration time", row.expires)


def _check_tombstone(row: Tombstone) -> None:
    _check_time("deletion time", row.time)


def _check_lock_delay(row: LockDelay) -> None:
    _check_time("end of a lock delay", row.until)
    _check_time("length of a lock delay", row.delay)


def _check_time(name: str, seconds: float) -> None:
    if not math.isfinite(seconds):
        raise ValueError(f"{name} {seconds}; allowed: finite numbers")


_RULES: dict[type, Callable[[Any], None]] = {
    ServiceInstance: _check_instance,
    Session: _check_session,
    Token: _check_token,
    Tombstone: _check_tombstone,
    LockDelay: _check_lock_delay,
}
