"""Keeps the answers to all lookups up to date: a blocking query each, files and other endpoints by polling.

    watcher = Watcher(client, retry, answers, news, rng=random.Random())
    watcher.watch(lookups)                # asks for those that are not watched yet
    await news.wait()                     # until an answer has changed, or a lookup has failed for good
    changed = watcher.take()

An outage changes nothing: answers stay as they are, failed queries are tried again with back-off, and the log has one
line when it begins and one when it ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pyconsul.tools.consul import ConsulClient, ConsulError, RetryPolicy
from pyconsul.tools.template.answers import Answers
from pyconsul.tools.template.crowd import Crowd
from pyconsul.tools.template.lookups import Lookup
from pyconsul.tools.template.outage import Outage

log = logging.getLogger("template")

#: First questions that are under way at the same time; more would only wait in the agent.
_FIRST_AT_ONCE = 16
#: Seconds between two answers of one lookup at least: a value that changes all the time must not keep us busy.
_PACE = 0.05
#: How long, in seconds, one query asks Consul to wait: at least, at most (Consul's limit), and for each lookup, so that
#: thousands of idle lookups cost little.
_WAIT_MIN, _WAIT_MAX, _WAIT_EACH = 60.0, 600.0, 0.6


class Watcher:
    """`client` must not retry by itself: `retry` says when a failed query is tried again. `news` is set when there is
    something to take, or `failure`.

    `wait`: seconds that one query asks Consul to wait for a change; None: by the number of lookups.
    """

    def __init__(
        self,
        client: ConsulClient,
        retry: RetryPolicy,
        answers: Answers,
        news: asyncio.Event,
        *,
        rng: random.Random,
        wait: float | None = None,
    ) -> None:
        self._client = client
        self._retry = retry
        self._answers = answers
        self._rng = rng
        self._wait = wait
        self._tasks: dict[Lookup, asyncio.Task[None]] = {}
        self._gate = asyncio.Semaphore(_FIRST_AT_ONCE)
        self._changed: set[Lookup] = set()
        self._news = news
        self._outage = Outage(client.connection.address)
        self._crowd = Crowd(client, rng)
        #: What ended a lookup for good.
        self.failure: ConsulError | None = None

    def watch(self, lookups: Iterable[Lookup]) -> None:
        """Ask for these, too; those that are watched already go on."""
        for lookup in lookups:
            if lookup not in self._tasks:
                follow = self._follow_file if lookup.kind == "file" else self._follow
                self._tasks[lookup] = asyncio.create_task(self._guard(follow(lookup)))

    def retain(self, lookups: Iterable[Lookup]) -> None:
        """Stop asking for all others, and forget their answers."""
        kept = set(lookups)
        for lookup in [lookup for lookup in self._tasks if lookup not in kept]:
            self._tasks.pop(lookup).cancel()
            self._outage.forget(lookup)
            self._crowd.leave(lookup)
        self._answers.retain(kept)

    def take(self) -> set[Lookup]:
        """The lookups whose answers have changed since the last call."""
        changed, self._changed = self._changed, set()
        return changed

    async def close(self) -> None:
        """Stop asking; the answers stay."""
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, self._crowd.close(), return_exceptions=True)

    async def _guard(self, following: Any) -> None:
        try:
            await following
        except ConsulError as error:
            self.failure = error
            self._news.set()

    async def _follow(self, lookup: Lookup) -> None:
        index, failures = 0, 0
        while True:
            pulse = None
            try:
                if index and not await self._crowd.seat(lookup):
                    index, pulse = 0, self._crowd.pulse(lookup)
                body, index = await self._query(lookup, index)
            except ConsulError as error:
                failures += 1
                await self._back_off(lookup, error, failures)
                index = 0  # What happened meanwhile is to be read at once.
                continue
            failures = 0
            self._outage.over(lookup)
            if index:  # 0: Consul's index went down, so all is read anew.
                self._put(lookup, lookup.decode(body))
            if pulse is not None:
                await _patiently(pulse, self._patience())
            elif lookup.poll is None:
                await asyncio.sleep(_PACE)
            else:
                await asyncio.sleep(lookup.poll)
                index = 0

    async def _query(self, lookup: Lookup, index: int) -> tuple[Any, int]:
        if index == 0:
            async with self._gate:
                return await self._client.blocking(lookup.path, lookup.query, 0)
        return await self._client.blocking(lookup.path, lookup.query, index, self._patience())

    def _patience(self) -> float:
        if self._wait is not None:
            return self._wait
        return min(max(_WAIT_MIN, _WAIT_EACH * len(self._tasks)), _WAIT_MAX)

    async def _back_off(self, lookup: Lookup, error: ConsulError, failures: int) -> None:
        delay = self._retry.delay(failures, self._rng, answered=self._outage.answered)
        if delay is None:
            raise ConsulError(f"{lookup}: {error}", error.status) from error
        self._outage.begin(lookup, error)
        await asyncio.sleep(delay)

    async def _follow_file(self, lookup: Lookup) -> None:
        assert lookup.poll is not None
        before: tuple[int, ...] = ()
        while True:
            try:
                now = _stamp(lookup.name)
                if now != before:
                    self._put(lookup, _text(lookup.name))
                    before = now
            except OSError as error:
                if not self._answers.known(lookup):
                    raise ConsulError(f"cannot read {lookup}: {error.strerror}") from error
                before = ()  # Its last text stays in force until it is back.
            await asyncio.sleep(lookup.poll)

    def _put(self, lookup: Lookup, answer: Any) -> None:
        if self._answers.put(lookup, answer):
            self._changed.add(lookup)
            self._news.set()


def _stamp(path: str) -> tuple[int, ...]:
    """What differs after a file has been written."""
    status = os.stat(path)
    return status.st_mtime_ns, status.st_size, status.st_ino


def _text(path: str) -> str:
    return Path(path).read_bytes().decode("utf-8", "surrogateescape")


async def _patiently(event: asyncio.Event, seconds: float) -> None:
    """Wait for the event, at most so long."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
