"""Follow the heartbeats of the leaders, log their silence, and end the session of a leader that stays silent, so that
another instance can take over before Consul ends the session.

It is safe to end the session of a leader that is alive: its writes name the session and are refused from then on, so it
becomes a follower or is elected again.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Set
from http import HTTPStatus
from typing import TYPE_CHECKING

from pyconsul.agent.common.go.durations import format_go_duration_ns
from pyconsul.tools.consul.client import ConsulError
from pyconsul.tools.template.dedup.heartbeat import BEATS_PER_TTL, decode_heartbeat, heartbeat_key
from pyconsul.tools.template.dedup.silence import LeaderSilence
from pyconsul.tools.template.feed.lookups import Lookup

if TYPE_CHECKING:
    from pyconsul.tools.template.dedup.election import Election
    from pyconsul.tools.template.feed.records import KeyPair

log = logging.getLogger("template")

#: Period over which followers of a silent leader spread their attempts to end its session.
_SPREAD_S = 1.0


class _Leader:
    def __init__(self, session: str, lookup: Lookup, now: float) -> None:
        self.session = session
        self.lookup = lookup
        self.silence = LeaderSilence(now)
        self.ending: asyncio.Task[None] | None = None

    def keep(self) -> None:
        """Do not end its session."""
        if self.ending is not None:
            self.ending.cancel()
            self.ending = None


class Leaders:
    """One entry for each session that holds shared answers. `prefix`: of the shared keys."""

    def __init__(self, election: Election, prefix: str, rng: random.Random) -> None:
        self._election = election
        self._prefix = prefix
        self._rng = rng
        self._leaders: dict[str, _Leader] = {}

    @property
    def lookups(self) -> set[Lookup]:
        """The keys to watch."""
        return {leader.lookup for leader in self._leaders.values()}

    @property
    def deadlines(self) -> Iterable[float | None]:
        """When to check again without a change."""
        return (leader.silence.deadline for leader in self._leaders.values())

    def get(self, session: str) -> LeaderSilence | None:
        """Return the silence of the leader that has this session."""
        leader = self._leaders.get(session)
        return leader.silence if leader is not None else None

    def follow(self, sessions: Set[str], now: float) -> None:
        """Note that these sessions are the leaders now."""
        for session in self._leaders.keys() - sessions:
            leader = self._leaders.pop(session)
            leader.keep()
            if leader.silence.is_silent:
                log.warning("the leader %s is gone after %s of silence", *_described(leader.silence, now))
        for session in sessions - self._leaders.keys():
            lookup = Lookup("key", heartbeat_key(self._prefix, session))
            self._leaders[session] = _Leader(session, lookup, now)

    def confirm(self, session: str, now: float) -> None:
        """Note that the leader has written shared answers."""
        if (leader := self._leaders.get(session)) is not None:
            self._log_return(leader, leader.silence.confirm(now))

    def take(self, changed: Set[Lookup], latest: Callable[[Lookup], KeyPair | None], now: float) -> None:
        """Take the heartbeats among the keys that have changed."""
        for leader in self._leaders.values():
            pair = latest(leader.lookup) if leader.lookup in changed else None
            if pair is None or pair.Session != leader.session:
                continue
            if (beat := decode_heartbeat(pair.Value)) is not None:
                self._log_return(leader, leader.silence.hear(beat, pair.ModifyIndex, now))

    @staticmethod
    def _log_return(leader: _Leader, silent_s: float | None) -> None:
        if silent_s is not None:
            leader.keep()
            log.warning("the leader %s is alive again after %s of silence", leader.silence.host, _text(silent_s))

    def look(self, now: float, is_live: Callable[[Lookup], bool]) -> None:
        """Find leaders that have become silent. `is_live`: whether changes of a key arrive as they happen."""
        for leader in self._leaders.values():
            if leader.silence.look(now, live=is_live(leader.lookup)):
                words = "no sign of life from the leader %s for %s; its data stay in use until another one leads"
                log.warning(words, *_described(leader.silence, now))
                leader.ending = asyncio.create_task(self._end_session(leader))

    async def _end_session(self, leader: _Leader) -> None:
        await asyncio.sleep(self._rng.uniform(0, _SPREAD_S))
        host, logged = leader.silence.host, False
        while True:
            try:
                # A heartbeat may have been written without reaching us.
                if await self._election.is_unchanged(leader.lookup.name, leader.silence.index):
                    log.info("ending the session of the silent leader %s: %s", host, leader.session)
                    await self._election.end_session(leader.session)
                return
            except ConsulError as error:
                if not logged:
                    log.warning("cannot end the session of the silent leader %s: %s; Consul ends it", host, error)
                if error.status == HTTPStatus.FORBIDDEN:
                    return
                logged = True
            # The leader may have had the same problem: wait for one heartbeat interval.
            await asyncio.sleep((leader.silence.limit_s or 0.0) / BEATS_PER_TTL)

    def close(self) -> None:
        """Stop following."""
        for leader in self._leaders.values():
            leader.keep()
        self._leaders.clear()


def _described(silence: LeaderSilence, now: float) -> tuple[str, str]:
    return silence.host, _text(silence.silence_s(now) or 0.0)


def _text(seconds: float) -> str:
    return format_go_duration_ns(round(seconds) * 1_000_000_000)
