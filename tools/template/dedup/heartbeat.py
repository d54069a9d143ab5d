"""The heartbeat of a leader: one small KV key for each leading process, however many templates it leads. Pure.

The key is held by the leader's session, so Consul deletes it together with the shared answers. An instance that knows no
heartbeats ignores the key, and a leader without the key is one that knows none.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

#: Heartbeats within the time to live. A leader counts as silent when this many in a row are missing.
BEATS_PER_TTL = 3
_MIN_INTERVAL_S, _MAX_INTERVAL_S = 0.1, 86400.0 / BEATS_PER_TTL
_VERSION = 1


@dataclass(frozen=True)
class Heartbeat:
    """`host`: the leader's. `interval_s`: until the next one. `data_age_s`: since Consul confirmed the leader's data."""

    host: str
    interval_s: float
    data_age_s: float = 0.0

    @property
    def limit_s(self) -> float:
        """Seconds without a sign of life after which the leader counts as silent."""
        return self.interval_s * BEATS_PER_TTL


class _Content(msgspec.Struct):
    Version: int
    Host: str
    Interval: float
    DataAge: float = 0.0
    Time: str = ""


def heartbeat_key(prefix: str, session: str) -> str:
    """Return the key of the leader that has this session. `prefix`: of all shared keys, with its slash."""
    return f"{prefix}leaders/{session}"


def encode_heartbeat(beat: Heartbeat, now: float) -> bytes:
    """Return the value of the key. `now`: seconds since 1970; Consul drops a write that changes nothing, so each has its time."""
    time = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    interval, age = round(beat.interval_s, 3), round(max(beat.data_age_s, 0.0), 1)
    return msgspec.json.encode(_Content(_VERSION, beat.host, interval, age, time))


def decode_heartbeat(value: str) -> Heartbeat | None:
    """Decode a heartbeat; None for another value or an unknown version."""
    try:
        content = msgspec.json.decode(value.encode("utf-8", "surrogateescape"), type=_Content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if content.Version != _VERSION:
        return None
    interval = min(max(content.Interval, _MIN_INTERVAL_S), _MAX_INTERVAL_S)
    return Heartbeat(content.Host, interval, max(content.DataAge, 0.0))
