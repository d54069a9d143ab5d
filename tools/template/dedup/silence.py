"""The time since a leader's last heartbeat or shared answers. Pure: `now` is seconds of any clock.

Silence counts only while heartbeats could reach this instance. An outage of Consul, and a pause of this process
itself, start the count again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyconsul.tools.template.dedup.heartbeat import Heartbeat


class LeaderSilence:
    """The silence of one leader."""

    def __init__(self, now: float) -> None:
        self._heard_at = now
        self._counts_from = now
        self._beat: Heartbeat | None = None
        self._interrupted = False
        #: Index of the latest heartbeat; 0 before the first.
        self.index = 0
        #: Whether the silence has reached its limit.
        self.is_silent = False

    @property
    def host(self) -> str:
        """The leader's host; "" before the first heartbeat."""
        return self._beat.host if self._beat is not None else ""

    @property
    def limit_s(self) -> float | None:
        """Seconds after which the leader counts as silent; None when it sends no heartbeats."""
        return self._beat.limit_s if self._beat is not None else None

    def hear(self, beat: Heartbeat, index: int, now: float) -> float | None:
        """Take a heartbeat, and return as `confirm` does. `index`: the ModifyIndex of its key."""
        if index == self.index:
            return None
        self._beat, self.index = beat, index
        return self.confirm(now)

    def confirm(self, now: float) -> float | None:
        """Note another sign of life. Returns the seconds of the silence that it ends; None without one."""
        ended = now - self._heard_at if self.is_silent else None
        self._heard_at = self._counts_from = now
        self.is_silent = self._interrupted = False
        return ended

    def look(self, now: float, *, live: bool) -> bool:
        """Return whether the leader has just become silent. `live`: whether heartbeats arrive from Consul as they
        are written."""
        deadline, limit = self.deadline, self.limit_s
        if deadline is None or limit is None:
            return False
        overslept = now > deadline + limit / 3
        if not live or overslept:
            self._counts_from, self._interrupted = now, not live
            return False
        if self._interrupted:
            self._counts_from, self._interrupted = now, False
        self.is_silent = now >= self._counts_from + limit
        return self.is_silent

    @property
    def deadline(self) -> float | None:
        """When to check again; None: not before a sign of life."""
        limit = self.limit_s
        if limit is None or self.is_silent:
            return None
        return self._counts_from + (limit / 3 if self._interrupted else limit)

    def silence_s(self, now: float) -> float | None:
        """Return the seconds since the last sign of life; None when the leader sends no heartbeats."""
        return max(now - self._heard_at, 0.0) if self._beat is not None else None

    def data_age_s(self, now: float) -> float | None:
        """Return the seconds since the leader's data was last known to be right; None when the leader sends no heartbeats."""
        silence = self.silence_s(now)
        return None if silence is None or self._beat is None else silence + self._beat.data_age_s
