"""Keep the answers to all lookups up to date: by shared streams where the agent has them, else by one blocking query for
each lookup; files and some endpoints by polling.

    watcher = Watcher(client, retry, answers, news, rng=random.Random())
    watcher.watch(lookups)                # queries those that are not watched yet
    await news.wait()                     # until an answer has changed, or a lookup has failed for good
    changed = watcher.take()

During an outage the answers stay, failed queries are retried with backoff, and the log has one line at its begin, one at
its end, and reminders at growing intervals. Afterwards, changes are passed on when all lookups have been answered again,
and streams are tried once more if the agent had none.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import random
from collections.abc import Coroutine, Iterable, Mapping, Set
from typing import TYPE_CHECKING, Any

from pyconsul.tools.consul.client import ConsulClient, ConsulError, RetryPolicy
from pyconsul.tools.template.feed.connection_budget import ConnectionBudget
from pyconsul.tools.template.feed.delivery import Delivery
from pyconsul.tools.template.feed.file_watch import follow_file
from pyconsul.tools.template.feed.handover import warn_of_filtered
from pyconsul.tools.template.feed.lookup_queries import LookupQueries, wait_at_most
from pyconsul.tools.template.feed.outage import Outage
from pyconsul.tools.template.feed.streams import Streams

if TYPE_CHECKING:
    from pyconsul.tools.template.feed.answers import Answers
    from pyconsul.tools.template.feed.lookups import Lookup
    from pyconsul.tools.template.feed.share_id import ShareId, Sharing

log = logging.getLogger("template")

#: Minimum interval of answers to one lookup: a value that changes all the time must not use the CPU up.
_MIN_INTERVAL_S = 0.05
#: Minimum interval of retrying all failed queries at once.
_MIN_WAKE_INTERVAL_S = 5.0


class Watcher:
    """Watches lookups. `client` must not retry by itself: `retry` decides when failed queries are retried. `news` is set
    when there is something to take, or `failure`.

    `wait`: seconds that one query asks Consul to wait for a change; None: by the number of lookups. `filtered`: lookups
    whose answers ACLs filter, and for which a warning was logged.
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
        self._watched: set[Lookup] = set()
        self._streams: Streams | None = Streams(client, self)  # None: the agent has none
        self._recheck_streams = False  # after an outage another agent may respond, which may have streams
        self._tasks: dict[Lookup, asyncio.Task[None]] = {}  # of lookups that no stream follows
        self._filtered = set() if filtered is None else filtered
        self._news = news
        self._outage = Outage(client.connection.address)
        self._delivery = Delivery(answers, self._outage, news)
        self._queries = LookupQueries(client, wait, self._tasks)
        self._budget = ConnectionBudget(client, rng)
        self._back = asyncio.Event()  # set when Consul answers again
        self._retried_at = 0.0
        self._outage_log = _OutageLog(self._outage)
        #: The error that ended a lookup for good.
        self.failure: ConsulError | None = None

    @property
    def address(self) -> str:
        """Where Consul is."""
        return self._client.connection.address

    @property
    def reachable(self) -> bool:
        """Return whether Consul answers, as far as is known."""
        return not self._outage.unreachable

    def is_live(self, lookup: Lookup) -> bool:
        """Return whether its changes arrive as they happen: Consul answers, and nothing is held back after an outage."""
        return self.reachable and not self._outage.fails(lookup) and not self._delivery.holds

    def data_age(self, now: float) -> float | None:
        """Seconds since Consul last confirmed the oldest data in use: 0 while all is well, or None.

        `now`: the loop's time.
        """
        return self._outage.age(self._answers.known, now)

    def sharing(self, share: ShareId | None) -> Sharing | None:
        """Return None: no answer of this source is shared."""
        return None

    def watch(self, lookups: Iterable[Lookup], share: ShareId | None = None) -> None:
        """Watch these lookups in addition."""
        for lookup in lookups:
            if lookup in self._watched:
                continue
            self._watched.add(lookup)
            if lookup.kind == "file":
                put = functools.partial(self._delivery.put, lookup)
                self._start(lookup, follow_file(lookup.name, lookup.poll or 1.0, put))
            elif lookup.poll is None and self._streams is not None:
                self._streams.add(lookup)
            else:
                self._start(lookup, self._follow(lookup))

    def retain(self, used: Mapping[ShareId | None, Set[Lookup]]) -> None:
        """Stop watching all other lookups, and forget their answers."""
        kept = {lookup for lookups in used.values() for lookup in lookups}
        for lookup in self._watched - kept:
            self._watched.discard(lookup)
            if (task := self._tasks.pop(lookup, None)) is not None:
                task.cancel()
            elif self._streams is not None:
                self._streams.drop(lookup)
            self._delivery.forget(lookup)
            self._outage.forget(lookup)
            self._budget.release(lookup)
        self._answers.retain(kept)
        self._delivery.release()

    def take(self) -> set[Lookup]:
        """Return the lookups whose answers have changed since the last call."""
        return self._delivery.take()

    async def close(self) -> None:
        """Stop all queries; the answers stay."""
        tasks = list(self._tasks.values())
        self._tasks.clear()
        self._outage_log.stop()
        self._delivery.close()
        for task in tasks:
            task.cancel()
        if self._streams is not None:
            await self._streams.close()
        await asyncio.gather(*tasks, self._budget.close(), return_exceptions=True)

    # Messages of streams

    def answered(self, lookup: Lookup, body: Any) -> None:
        """Take an answer of a stream or of a single query."""
        try:
            answer = lookup.decode(body)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            self._begin(lookup, ConsulError(f"its answer is not what Consul answers: {error!r}", 200))
            return
        if self._outage.over(lookup, _now()):
            self._retry_now()
        self._delivery.deliver(lookup, answer)

    def filtered(self, lookup: Lookup) -> None:
        """Log, once, that the token hides a part of the answer."""
        warn_of_filtered(lookup, self._filtered)

    def refused(self, lookup: Lookup, error: ConsulError) -> None:
        """Query a lookup alone until it is answered: the stream does not have it."""
        self._start(lookup, self._follow(lookup, error))

    def lost(self, lookups: Iterable[Lookup], error: ConsulError, failures: int) -> float | None:
        """Note that a stream has ended; returns the seconds until the next try, None when that was the last."""
        delay = self._retry.delay(failures, self._rng, answered=self._outage.answered)
        for lookup in lookups:
            if delay is None:
                self._fail(ConsulError(f"{lookup}: {error}", error.status))
                break
            self._begin(lookup, error)
        return delay

    def unsupported(self, lookups: Iterable[Lookup]) -> None:
        """Query all lookups alone: the agent has no streams."""
        self._streams, self._recheck_streams = None, False
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
        """Query one lookup again and again; after an answer a stream takes over if there is one. `error`: of an earlier query."""
        index, failures = 0, 0
        while True:
            if error is not None:
                failures += 1
                await self._back_off(lookup, error, failures)
                index, error = 0, None  # read at once what happened meanwhile
            event = None
            try:
                if index and not await self._budget.acquire(lookup):
                    index, event = 0, self._budget.change_event(lookup)
                body, index = await self._queries.query(lookup, index, functools.partial(self.filtered, lookup))
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
            elif event is not None:
                await self._queries.wait_for_event(lookup, event)
            else:
                await asyncio.sleep(_MIN_INTERVAL_S)

    def _try_streams(self) -> None:
        """Try streams again after an outage: failed lookups move there together, others after their next answer."""
        if self._recheck_streams and self._streams is None:
            self._streams = Streams(self._client, self)
            for lookup in self._outage.lost:
                if lookup.poll is None and (task := self._tasks.pop(lookup, None)) is not None:
                    task.cancel()
                    self._to_stream(self._streams, lookup)
        self._recheck_streams = False

    def _to_stream(self, streams: Streams, lookup: Lookup, index: int = 0) -> None:
        self._budget.release(lookup)
        streams.add(lookup, index)

    async def _back_off(self, lookup: Lookup, error: ConsulError, failures: int) -> None:
        delay = self._retry.delay(failures, self._rng, answered=self._outage.answered)
        if delay is None:
            raise ConsulError(f"{lookup}: {error}", error.status) from error
        self._begin(lookup, error)
        if error.status:
            await asyncio.sleep(delay)
        else:
            await wait_at_most(self._back, delay)

    # Outages

    def _begin(self, lookup: Lookup, error: ConsulError) -> None:
        now = _now()
        if self._outage.begin(lookup, error, now):
            # Lookups that wait for a change event have no query that could fail.
            for waiting in self._queries.awaiting_event:
                self._outage.begin(waiting, error, now)
            self._budget.wake_all()
            self._outage_log.start()
            self._recheck_streams = True
        self._delivery.release()

    def _retry_now(self) -> None:
        """Retry all failed queries now: Consul answers again. Answers are held back until all have come, for a limited time."""
        now = _now()
        self._delivery.limit_hold(now)
        if now - self._retried_at < _MIN_WAKE_INTERVAL_S:
            return
        self._retried_at = now
        self._back.set()
        self._back = asyncio.Event()
        if self._streams is not None:
            self._streams.retry_now()


def _now() -> float:
    return asyncio.get_running_loop().time()


class _OutageLog:
    """Logs the length of an outage at growing intervals."""

    def __init__(self, outage: Outage) -> None:
        self._outage = outage
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Start with an outage."""
        self.stop()
        self._timer = asyncio.get_running_loop().call_at(self._outage.next_log_at, self._remind)

    def stop(self) -> None:
        """Stop the reminders."""
        if self._timer is not None:
            self._timer.cancel()

    def _remind(self) -> None:
        if self._outage.unreachable:
            self._outage.log_duration(asyncio.get_running_loop().time())
            self.start()
