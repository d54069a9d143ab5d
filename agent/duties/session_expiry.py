"""Ends the sessions that are not renewed in time.

A session lives for twice its TTL, as Consul's do: the TTL is a promise that it lives at
least that long.  After a start every session begins anew, since nobody could renew.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from pyconsul.agent.common.go_durations import parse_go_duration_s
from pyconsul.agent.state import sessions
from pyconsul.agent.state.contract import View

PATIENCE = 2  # times the TTL
RETRY = 5.0  # seconds until a session that could not be ended is tried again

log = logging.getLogger("agent.session")


class SessionClock:
    """One timer for each session with a TTL."""

    def __init__(self, view: View, commit: Callable[[Callable[..., Any]], Awaitable[Any]]) -> None:
        self._view, self._commit = view, commit
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Let every session that is there begin anew."""
        for session in sessions.all_sessions(self._view):
            try:
                self.renew(session.id, parse_go_duration_s(session.ttl) if session.ttl else 0.0)
            except ValueError as error:  # stored rows are looked at; this one came another way
                log.error("session without a usable TTL lives until it is destroyed: id=%s: %s", session.id, error)

    def renew(self, session_id: str, ttl: float) -> None:
        """Let a session live for its TTL (seconds) from now on; without one it lives until it is ended."""
        self._forget(session_id)
        if ttl > 0:
            self._set(session_id, ttl * PATIENCE)

    def stop(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _set(self, session_id: str, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._timers[session_id] = loop.call_later(seconds, self._expire, session_id)

    def _forget(self, session_id: str) -> None:
        timer = self._timers.pop(session_id, None)
        if timer is not None:
            timer.cancel()

    def _expire(self, session_id: str) -> None:
        self._timers.pop(session_id, None)
        task = asyncio.create_task(self._end(session_id))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _end(self, session_id: str) -> None:
        try:
            await self._commit(partial(sessions.destroy, session_id=session_id))
        except Exception as error:  # whatever it is: the session must end
            log.warning("cannot end a session that was not renewed, retrying in %gs: %s", RETRY, error)
            self._set(session_id, RETRY)
