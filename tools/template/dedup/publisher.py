"""Share a template's answers with the other instances whenever they have changed."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from pyconsul.tools.consul.client import ConsulError, RetryPolicy
from pyconsul.tools.template.dedup.document import Bodies, Document, pack

if TYPE_CHECKING:
    from pyconsul.tools.template.dedup.election import Election
    from pyconsul.tools.template.feed.lookups import Lookup

log = logging.getLogger("template")

#: Minimum interval of documents: frequent changes must not keep the whole fleet busy.
_MIN_INTERVAL_S = 0.1
_TOO_MANY = "the answers are too many to be shared, larger than Consul takes a value"
_RETRY = RetryPolicy(attempts=0, backoff=0.5, max_backoff=10.0)


class Publisher:
    """Writes one key that we hold. `host`: the name of this machine for the others."""

    def __init__(self, election: Election, key: str, host: str, rng: random.Random) -> None:
        self._election = election
        self._key = key
        self._host = host
        self._rng = rng
        self._bodies = Bodies()
        self._answers: Mapping[Lookup, Any] = {}
        self._published: dict[Lookup, bytes] | None = None
        self._limit: int | None = None  # size in bytes that Consul has refused
        self._changed = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    def publish(self, answers: Mapping[Lookup, Any]) -> None:
        """Publish these answers soon."""
        self._answers = answers
        self._changed.set()

    def repeat(self) -> None:
        """Write again: the key does not hold the published answers."""
        self._published = None

    def close(self) -> None:
        """Stop publishing."""
        self._task.cancel()

    async def _run(self) -> None:
        failures = 0
        while True:
            await self._changed.wait()
            self._changed.clear()
            bodies = self._bodies.of(self._answers)
            if bodies == self._published:
                continue
            try:
                await self._write(bodies)
                failures = 0
                self._published = bodies
            except ConsulError as error:
                failures += 1
                self._changed.set()
                level = logging.WARNING if failures == 1 else logging.DEBUG
                log.log(level, "cannot share answers under %s: %s; trying again", self._key, error)
                await asyncio.sleep(_RETRY.delay(failures, self._rng) or 0.0)
            await asyncio.sleep(_MIN_INTERVAL_S)

    async def _write(self, bodies: Mapping[Lookup, bytes]) -> None:
        """Write the key. Whether we still hold it shows at the key itself. Raises ConsulError."""
        value = await asyncio.to_thread(pack, Document(self._host, bodies))
        if self._limit is None or len(value) < self._limit:
            try:
                await self._election.write(self._key, value)
            except ConsulError as error:
                if error.status != HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                    raise
                self._limit = len(value)
                log.warning("%s: %s (%d bytes); each instance queries Consul itself", self._key, _TOO_MANY, len(value))
            else:
                self._limit = None
                return
        await self._election.write(self._key, pack(Document(self._host, problem=_TOO_MANY)))
