"""Ends sessions that are not renewed in time.

A session lives for twice its TTL, as in Consul: the TTL is the time that it is guaranteed to live.  When a server becomes the
leader, the TTL of every session starts over, since it could not be renewed meanwhile; likewise after a restore.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from pyconsul.agent.common.go.durations import parse_go_duration_s
from pyconsul.agent.duties.contract import Commit
from pyconsul.agent.state import sessions
from pyconsul.agent.state.store import Store
from pyconsul.agent.state.watches import on_replaced

TTL_FACTOR = 2
RETRY_S = 5.0  # until the next attempt to end a session

log = logging.getLogger("agent.session")


class SessionExpiry:
    """One timer for each session with a TTL."""

    def __init__(self, store: Store, commit: Commit) -> None:
        self._store, self._commit = store, commit
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._unsubscribe: Callable[[], None] | None = None

    async def start(self) -> None:
        """Start a timer for every session."""
        self._unsubscribe = on_replaced(self._store.watches, self._restart_timers)
        self._restart_timers()

    async def stop(self) -> None:
        """Cancel all timers; renewals have no effect until the next start."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        self._cancel_timers()
        for task in self._ending:
            task.cancel()
        await asyncio.gather(*self._ending, return_exceptions=True)

    def renew(self, session_id: str, ttl_s: float) -> None:
        """Restart the TTL of a session; without a TTL (0) it lives until it is destroyed."""
        timer = self._timers.pop(session_id, None)
        if timer is not None:
            timer.cancel()
        if ttl_s > 0 and self._unsubscribe is not None:
            self._set_timer(session_id, ttl_s * TTL_FACTOR)

    def _restart_timers(self) -> None:
        self._cancel_timers()
        for session in sessions.all_sessions(self._store):
            try:
                self.renew(session.id, parse_go_duration_s(session.ttl) if session.ttl else 0.0)
            except ValueError as error:  # requests are validated; this row came from elsewhere
                log.error("session without a valid TTL lives until it is destroyed: id=%s: %s", session.id, error)

    def _cancel_timers(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _set_timer(self, session_id: str, delay_s: float) -> None:
        loop = asyncio.get_running_loop()
        self._timers[session_id] = loop.call_later(delay_s, self._expire, session_id)

    def _expire(self, session_id: str) -> None:
        self._timers.pop(session_id, None)
        task = asyncio.create_task(self._end(session_id))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _end(self, session_id: str) -> None:
        try:
            await self._commit(partial(sessions.destroy, session_id=session_id))
        except Exception as error:  # any error: the session must end
            log.warning("cannot end an expired session, retrying in %gs: %s", RETRY_S, error)
            self._set_timer(session_id, RETRY_S)
