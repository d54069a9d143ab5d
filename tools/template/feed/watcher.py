"""Keeps the answers to all lookups up to date: in streams that they share, where the agent has them, else by a blocking
query each; files and other endpoints by polling.

    watcher = Watcher(client, retry, answers, news, rng=random.Random())
    watcher.watch(lookups)                # asks for those that are not watched yet
    await news.wait()                     # until an answer has changed, or a lookup has failed for good
    changed = watcher.take()

An outage changes nothing: answers stay as they are, failed queries are tried again with back-off, and the log has one
line when it begins, one when it ends, and ever fewer between. After it, what has changed is handed out when everything
has been answered again, and the agent is asked for streams once more if there were none.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import random
from collections.abc import Coroutine, Iterable, Mapping, Set
from typing import TYPE_CHECKING, Any

from pyconsul.tools.consul.client import ConsulClient, ConsulError, RetryPolicy
from pyconsul.tools.template.feed.connection_budget import ConnectionBudget
from pyconsul.tools.template.feed.file_watch import follow_file
from pyconsul.tools.template.feed.handover import warn_of_filtered
from pyconsul.tools.template.feed.outage import HOLD, Outage
from pyconsul.tools.template.feed.streams import Streams

if TYPE_CHECKING:
    from pyconsul.tools.template.feed.answers import Answers
    from pyconsul.tools.template.feed.lookups import Lookup
    from pyconsul.tools.template.feed.share_id import ShareId, Sharing

log = logging.getLogger("template")

#: First questions that are under way at the same time; more would only wait in the agent.
_FIRST_AT_ONCE = 16
#: Seconds that queries for changes are put off at most while first questions have no answer.
_FIRST_WAIT = 2.0
#: Seconds between two answers of one lookup at least: a value that changes all the time must not keep us busy.
_PACE = 0.05
#: Seconds between two times at least that all who wait for their next try are woken together.
_HURRY = 5.0
#: How long, in seconds, one query asks Consul to wait: at least, at most (Consul's limit), and for each lookup, so that
#: thousands of idle lookups cost little.
_WAIT_MIN, _WAIT_MAX, _WAIT_EACH = 60.0, 600.0, 0.6


class Watcher:
    """`client` must not retry by itself: `retry` says when a failed query is tried again. `news` is set when there is
    something to take, or `failure`.

    `wait`: seconds that one query asks Consul to wait for a change; None: by the number of lookups. `filtered`: those
    whose answers ACLs have cut, which the log has said already.
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
        filtered: set[Lookup] | None = None,
    ) -> None:
        self._client = client
        self._retry = retry
        self._answers = answers
        self._rng = rng
        self._wait = wait
        self._watched: set[Lookup] = set()
        self._streams: Streams | None = Streams(client, self)  # None: the agent has none
        self._another = False  # an outage has begun since then: it may be another agent that answers next
        self._tasks: dict[Lookup, asyncio.Task[None]] = {}  # of those that are in no stream
        self._gate = asyncio.Semaphore(_FIRST_AT_ONCE)
        self._unanswered = 0  # first questions that are under way or wait for the gate
        self._all_answered = asyncio.Event()
        self._changed: set[Lookup] = set()
        self._filtered = set() if filtered is None else filtered
        self._held: dict[Lookup, Any] = {}  # answers, while others are still those from before an outage
        self._news = news
        self._outage = Outage(client.connection.address)
        self._crowd = ConnectionBudget(client, rng)
        self._resting: set[Lookup] = set()  # until the crowd's pulse
        self._back = asyncio.Event()  # Consul answers again
        self._hurried = 0.0
        self._reminder = _Reminder(self._outage)
        self._releaser: asyncio.TimerHandle | None = None
        #: What ended a lookup for good.
        self.failure: ConsulError | None = None

    @property
    def address(self) -> str:
        """Where Consul is."""
        return self._client.connection.address

    @property
    def reachable(self) -> bool:
        """Whether Consul answers, as far as is known."""
        return not self._outage.unreachable

    def is_live(self, lookup: Lookup) -> bool:
        """Return whether its changes arrive as they happen: Consul answers, and nothing is held back after an outage."""
        return self.reachable and not self._outage.fails(lookup) and not self._outage.holds(_now())

    def data_age(self, now: float) -> float | None:
        """Seconds since Consul last confirmed the oldest data in use: 0 while all is well; None when there is none.

        `now`: the loop's time.
        """
        return self._outage.age(self._answers.known, now)

    def sharing(self, share: ShareId | None) -> Sharing | None:
        """Consul answers, always."""
        return None

    def watch(self, lookups: Iterable[Lookup], share: ShareId | None = None) -> None:
        """Ask for these, too; those that are watched already go on."""
        for lookup in lookups:
            if lookup in self._watched:
                continue
            self._watched.add(lookup)
            if lookup.kind == "file":
                put = functools.partial(self._put, lookup)
                self._start(lookup, follow_file(lookup.name, lookup.poll or 1.0, put))
            elif lookup.poll is None and self._streams is not None:
                self._streams.add(lookup)
            else:
                self._start(lookup, self._follow(lookup))

    def retain(self, used: Mapping[ShareId | None, Set[Lookup]]) -> None:
        """Stop asking for all others, and forget their answers."""
        kept = {lookup for lookups in used.values() for lookup in lookups}
        for lookup in self._watched - kept:
            self._watched.discard(lookup)
            if (task := self._tasks.pop(lookup, None)) is not None:
                task.cancel()
            elif self._streams is not None:
                self._streams.drop(lookup)
            self._held.pop(lookup, None)
            self._outage.forget(lookup)
            self._crowd.leave(lookup)
        self._answers.retain(kept)
        self._release()

    def take(self) -> set[Lookup]:
        """Return the lookups whose answers have changed since the last call."""
        changed, self._changed = self._changed, set()
        return changed

    async def close(self) -> None:
        """Stop asking; the answers stay."""
        tasks = list(self._tasks.values())
        self._tasks.clear()
        self._reminder.stop()
        if self._releaser is not None:
            self._releaser.cancel()
        for task in tasks:
            task.cancel()
        if self._streams is not None:
            await self._streams.close()
        await asyncio.gather(*tasks, self._crowd.close(), return_exceptions=True)

    # What the streams tell

    def answered(self, lookup: Lookup, body: Any) -> None:
        """Take an answer of a stream or of a single query."""
        try:
            answer = lookup.decode(body)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            self._begin(lookup, ConsulError(f"its answer is not what Consul answers: {error!r}", 200))
            return
        if self._outage.over(lookup, _now()):
            self._hurry()
        if self._outage.holds(_now()):
            self._held[lookup] = answer
        else:
            self._release()
            self._put(lookup, answer)

    def filtered(self, lookup: Lookup) -> None:
        """Log, once, that the token hides a part of the answer."""
        warn_of_filtered(lookup, self._filtered)

    def refused(self, lookup: Lookup, error: ConsulError) -> None:
        """Query a lookup alone until it is answered: the stream does not have it."""
        self._start(lookup, self._follow(lookup, error))

    def lost(self, lookups: Iterable[Lookup], error: ConsulError, failures: int) -> float | None:
        """Return a stream has ended; returns the seconds until the next try, None when that was the last."""
        delay = self._retry.delay(failures, self._rng, answered=self._outage.answered)
        for lookup in lookups:
            if delay is None:
                self._fail(ConsulError(f"{lookup}: {error}", error.status))
                break
            self._begin(lookup, error)
        return delay

    def unsupported(self, lookups: Iterable[Lookup]) -> None:
        """Query all lookups alone: the agent has no streams."""
        self._streams, self._another = None, False
        for lookup in lookups:
            self._start(lookup, self._follow(lookup))

    # Queries of one lookup

    def _start(self, lookup: Lookup, following: Coroutine[Any, Any, None]) -> None:
        self._tasks[lookup] = asyncio.create_task(self._guard(following))

    async def _guard(self, following: Coroutine[Any, Any, None]) -> None:
        try:
            await following
        except ConsulError as error:
            self._fail(error)

    def _fail(self, error: ConsulError) -> None:
        self.failure = error
        self._news.set()

    async def _follow(self, lookup: Lookup, error: ConsulError | None = None) -> None:
        """Ask again and again; once there is an answer, a stream goes on if it can. `error`: it has failed before."""
        index, failures = 0, 0
        while True:
            if error is not None:
                failures += 1
                await self._back_off(lookup, error, failures)
                index, error = 0, None  # What happened meanwhile is to be read at once.
            pulse = None
            try:
                if index and not await self._crowd.seat(lookup):
                    index, pulse = 0, self._crowd.pulse(lookup)
                body, index = await self._query(lookup, index)
            except ConsulError as failure:
                error = failure
                continue
            failures = 0
            self.answered(lookup, body)
            self._try_streams()
            if lookup.poll is not None:
                await asyncio.sleep(lookup.poll)
                index = 0
            elif self._streams is not None:
                del self._tasks[lookup]
                self._to_stream(self._streams, lookup, index)
                return
            elif pulse is not None:
                await self._rest(lookup, pulse)
            else:
                await asyncio.sleep(_PACE)

    def _try_streams(self) -> None:
        """The agent that answers after an outage may have streams: those without an answer go there together, others
        with their next one."""
        if self._another and self._streams is None:
            self._streams = Streams(self._client, self)
            for lookup in self._outage.lost:
                if lookup.poll is None and (task := self._tasks.pop(lookup, None)) is not None:
                    task.cancel()
                    self._to_stream(self._streams, lookup)
        self._another = False

    def _to_stream(self, streams: Streams, lookup: Lookup, index: int = 0) -> None:
        self._crowd.leave(lookup)
        streams.add(lookup, index)

    async def _query(self, lookup: Lookup, index: int) -> tuple[Any, int]:
        filtered = functools.partial(self.filtered, lookup)
        if index == 0:
            self._unanswered += 1
            try:
                async with self._gate:
                    return await self._client.blocking(lookup.path, lookup.query, 0, on_filtered=filtered)
            finally:
                self._unanswered -= 1
                if self._unanswered == 0:
                    self._all_answered.set()
                    self._all_answered = asyncio.Event()
        if self._unanswered:
            # First answers come first: files wait for them, and queries that wait for changes are costly to begin.
            await _patiently(self._all_answered, _FIRST_WAIT)
        return await self._client.blocking(lookup.path, lookup.query, index, self._patience(), on_filtered=filtered)

    async def _rest(self, lookup: Lookup, pulse: asyncio.Event) -> None:
        self._resting.add(lookup)
        try:
            await _patiently(pulse, self._patience())
        finally:
            self._resting.discard(lookup)

    def _patience(self) -> float:
        if self._wait is not None:
            return self._wait
        return min(max(_WAIT_MIN, _WAIT_EACH * len(self._tasks)), _WAIT_MAX)

    async def _back_off(self, lookup: Lookup, error: ConsulError, failures: int) -> None:
        delay = self._retry.delay(failures, self._rng, answered=self._outage.answered)
        if delay is None:
            raise ConsulError(f"{lookup}: {error}", error.status) from error
        self._begin(lookup, error)
        if error.status:
            await asyncio.sleep(delay)
        else:
            await _patiently(self._back, delay)

    # Outages

    def _begin(self, lookup: Lookup, error: ConsulError) -> None:
        now = _now()
        if self._outage.begin(lookup, error, now):
            # What waits for a pulse has no query that could fail.
            for resting in self._resting:
                self._outage.begin(resting, error, now)
            self._crowd.beat()
            self._reminder.start()
            self._another = True
        self._release()

    def _hurry(self) -> None:
        """Consul answers again: have everybody ask now, and wait for all of them, but not for ever."""
        now = _now()
        if self._releaser is not None:
            self._releaser.cancel()
        self._releaser = asyncio.get_running_loop().call_at(now + HOLD, self._release)
        if now - self._hurried < _HURRY:
            return
        self._hurried = now
        self._back.set()
        self._back = asyncio.Event()
        if self._streams is not None:
            self._streams.hurry()

    def _release(self) -> None:
        """Hand out what was held back, unless it still is."""
        if self._held and not self._outage.holds(_now()):
            held, self._held = self._held, {}
            for lookup, answer in held.items():
                self._put(lookup, answer)

    def _put(self, lookup: Lookup, answer: Any) -> None:
        if self._answers.put(lookup, answer):
            self._changed.add(lookup)
            self._news.set()


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _patiently(event: asyncio.Event, seconds: float) -> None:
    """Wait for the event, at most so long."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


class _Reminder:
    """Logs the length of an outage again and again, at growing intervals."""

    def __init__(self, outage: Outage) -> None:
        self._outage = outage
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Start with an outage."""
        self.stop()
        self._timer = asyncio.get_running_loop().call_at(self._outage.tell_at, self._remind)

    def stop(self) -> None:
        """Stop the reminders."""
        if self._timer is not None:
            self._timer.cancel()

    def _remind(self) -> None:
        if self._outage.unreachable:
            self._outage.tell(asyncio.get_running_loop().time())
            self.start()
