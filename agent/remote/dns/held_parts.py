"""The parts of the catalog that DNS clients of this agent ask for, each kept current by a stream of a server while it is asked for.

| part | kept after the last question | how many |
| --- | --- | --- |
| with rows | 20 minutes, as Consul's views | 4,096 with 200,000 rows; the least recently asked go first |
| without rows (a name that does not exist) | 1 minute | 512 of them |

A stream that ends is opened again at another server.  Meanwhile answers go on from what is held, up to `dns_config.max_stale` or,
with `use_cache`, `cache_max_age`.  With neither `allow_stale` nor `use_cache` nothing is held: every question asks a server.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from pyconsul.agent.dnsd.settings import Settings
from pyconsul.agent.dnsd.views import HeldStatus, NotHeld, Part, QueryResult, Views
from pyconsul.agent.reads.parts import part_topics
from pyconsul.agent.remote.dns.fetched import FetchedViews
from pyconsul.agent.remote.dns.part_requests import PartRequests
from pyconsul.agent.remote.dns.part_streams import PartStreams
from pyconsul.agent.remote.dns.part_table import HeldPart, PartTable
from pyconsul.agent.rpc.contract import AskServer
from pyconsul.agent.state.acl.tables import TOPIC as ACL_TOPIC
from pyconsul.agent.state.contract import Unavailable, View
from pyconsul.agent.state.watches import Watches

SWEEP_S = 60.0  # between two looks at what is still asked for


class HeldParts:
    """Implements `dnsd.views.Views`, and `Fetch` for what is not held.  watches: notified of every change of what answers show."""

    def __init__(
        self, servers: AskServer, watches: Watches, settings: Settings, own: Callable[[str], str], rng: random.Random
    ) -> None:
        """own: returns one of the agent's own tokens by its name."""
        self._watches, self._settings, self._own = watches, settings, own
        self._requests = PartRequests(servers, self._token, lambda: self._settings.allow_stale)
        self._parts = PartTable(self._dropped)
        max_age_s = lambda: self._settings.max_age_s  # noqa: E731
        self._streams = PartStreams(self._requests, self._parts, max_age_s, self._publish, rng)
        self._used_token = self._token()
        self._sweeping: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to drop what is not asked for, and to follow changes of the token."""
        self._watches.add(self._on_token, (ACL_TOPIC,))
        self._sweeping = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep_regularly)

    async def stop(self) -> None:
        """End all streams."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        self._watches.remove(self._on_token, (ACL_TOPIC,))
        tasks = [held.task for held in self._parts if held.task is not None]
        for held in self._parts:
            self._parts.drop(held)
        await asyncio.gather(*tasks, return_exceptions=True)

    def retry(self) -> None:
        """Try at once to have all parts kept current again: there may be another server."""
        self._streams.retry()

    def reconfigure(self, settings: Settings) -> None:
        """Use other settings from now on; what is held stays where it may be used."""
        before, self._settings = self._settings, settings
        if settings.allow_stale != before.allow_stale:
            for held in self._parts:
                self._parts.drop(held)

    def status(self) -> HeldStatus:
        """Return how much is held, and how old it is."""
        now = asyncio.get_running_loop().time()
        return HeldStatus(len(self._parts), self._parts.rows, max((held.age(now) for held in self._parts), default=0.0))

    # --- Views

    @property
    def is_lasting(self) -> bool:
        """Return whether answers may be kept: wherever rows are held."""
        return self._settings.holds_rows

    def service(self, name: str) -> View:
        """Return a part; likewise below.  Raises NotHeld."""
        return self._view(Part("service", name.lower()))

    def node(self, name: str) -> View:
        return self._view(Part("node", name.lower()))

    def address(self, text: str) -> View:
        return self._view(Part("address", text.lower()))

    def query(self, name: str, source: str) -> QueryResult | None:
        """Raises NotHeld: a server executes each query."""
        raise NotHeld(Part("query", name, source))

    def _view(self, part: Part) -> View:
        held = self._parts.find(part)
        if held is None or held.view is None or self._streams.is_too_old(held):
            raise NotHeld(part)
        self._parts.touch(held)
        return held.view

    # --- Fetch

    async def fetch(self, part: Part, views: Views) -> Views:
        """Return views with a part that was not held: its rows of this moment, or kept from now on.  Raises Unavailable."""
        if part.kind == "query":
            return FetchedViews.with_query(views, part, await self._requests.query(part))
        if not self._settings.holds_rows:
            base = views if isinstance(views, FetchedViews) else None
            return FetchedViews.with_part(base, part, await self._requests.once(part))
        held = self._parts.find(part)
        if held is not None and held.view is not None:
            if self._streams.is_too_old(held):
                age_s = held.age(asyncio.get_running_loop().time())
                raise Unavailable(f"no server has confirmed the rows of {part.kind} {part.name} for {age_s:.0f} s")
            return views
        await asyncio.shield((held or self._streams.open(part)).ready)
        return views

    def _token(self) -> str:
        return self._own("dns") or self._own("default")

    # --- what is dropped

    def _publish(self, *changed: HeldPart) -> None:
        """Let the kept answers that show these parts be made again."""
        self._watches.fire([topic for held in changed for topic in part_topics(held.part.kind, held.part.name)])

    def _dropped(self, held: HeldPart) -> None:
        if held.task is not None and held.task is not asyncio.current_task():
            held.task.cancel()
        if not held.ready.done():
            held.ready.set_exception(Unavailable("other names are asked for more"))
        self._publish(held)

    def _sweep_regularly(self) -> None:
        self._sweeping = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep_regularly)
        self.sweep()

    def sweep(self) -> None:
        """Drop the parts that are no longer asked for.

        Answers that are kept as bytes are given without asking for a part; so they are forgotten now, to find out by the next sweep
        whether they are still asked for.
        """
        used = self._parts.sweep(asyncio.get_running_loop().time())
        self._publish(*used)

    def _on_token(self) -> None:
        """Ask with another token from now on."""
        if self._watches.closed:
            return
        self._watches.add(self._on_token, (ACL_TOPIC,))
        if self._token() != self._used_token:
            self._used_token = self._token()
            self._streams.restart()
