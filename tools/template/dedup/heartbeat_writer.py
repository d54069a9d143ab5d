"""Writes the heartbeat of a leader, one for all templates that it leads."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from pyconsul.tools.consul.client import ConsulError
from pyconsul.tools.template.dedup.heartbeat import Heartbeat, encode_heartbeat, heartbeat_key

if TYPE_CHECKING:
    from pyconsul.tools.template.dedup.election import Election

log = logging.getLogger("template")

#: Seconds until a heartbeat that failed is tried again, so that the first one after an outage comes early.
_RETRY_S = 1.0


class HeartbeatWriter:
    """`beat` returns the heartbeat of this moment. `prefix`: of the shared keys."""

    def __init__(self, election: Election, prefix: str, beat: Callable[[], Heartbeat]) -> None:
        self._election = election
        self._prefix = prefix
        self._beat = beat
        self._session = ""
        self._task: asyncio.Task[None] | None = None
        self._logged = ""

    def lead(self, session: str) -> None:
        """Write heartbeats as this session from now on; "": write none."""
        if session == self._session:
            return
        self._session = session
        if self._task is not None:
            self._task.cancel()
        self._task = asyncio.create_task(self._run(session)) if session else None

    async def _run(self, session: str) -> None:
        key = heartbeat_key(self._prefix, session)
        while True:
            beat = self._beat()
            delay = beat.interval_s
            try:
                await self._election.write_as(session, key, encode_heartbeat(beat, time.time()))
                self._logged = ""
            except ConsulError as error:
                if not 400 <= error.status < 500:
                    delay = min(delay, _RETRY_S)
                if error.status and str(error) != self._logged:
                    self._logged = str(error)
                    log.warning("cannot write the heartbeat %s: %s; trying again", key, error)
            await asyncio.sleep(delay)
