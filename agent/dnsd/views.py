"""The parts of the catalog that answers are made of, and where they are read: the whole state, or what an agent holds of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

from pyconsul.agent.dnsd.settings import Settings
from pyconsul.agent.model.catalog import CheckServiceNode
from pyconsul.agent.state.contract import View


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The result of a prepared query, in the order of the answer.  `ttl` is the query's own (seconds), if it has one;
    without topics the answer is never kept.  `ordered`: the order means something and has to stay."""

    service: str
    datacenter: str
    nodes: Sequence[CheckServiceNode]
    ttl: int | None = None
    topics: tuple[str, ...] = ()
    ordered: bool = False


class ExecuteQuery(Protocol):
    """Executes a prepared query by name or ID for a client at an IP address; returns None for an unknown query."""

    def __call__(self, name: str, source: str, /) -> QueryResult | None: ...


class Part(NamedTuple):
    """A part of the catalog: "service", "node", "address" (in its usual form) or "query", and its name; names in lower case.

    source: the client's address, for a query.
    """

    kind: str
    name: str
    source: str = ""


class NotHeld(Exception):
    """A part that an answer needs is not at hand; the answer is made again when `Fetch` has it."""

    def __init__(self, part: Part) -> None:
        super().__init__(f"{part.kind} {part.name}")
        self.part = part


class Views(Protocol):
    """The source of rows for answers.  The methods raise NotHeld; a view that they return holds at least the named part.

    is_lasting: answers may be kept until one of their topics changes.
    """

    @property
    def is_lasting(self) -> bool: ...

    def service(self, name: str) -> View:
        """Return a view with the instances of a service, their nodes and their checks."""

    def node(self, name: str) -> View:
        """Return a view with a node."""

    def address(self, text: str) -> View:
        """Return a view with the nodes and instances that have an IP address."""

    def query(self, name: str, source: str) -> QueryResult | None:
        """Execute a prepared query for a client at an IP address; returns None for an unknown query."""


class HeldStatus(NamedTuple):
    """The size of what an agent holds for DNS, and the age of its oldest rows in seconds: 0 while all are current."""

    parts: int
    rows: int
    oldest_age_s: float


class PartHolder(Views, Protocol):
    """The parts that an agent without the state holds."""

    def start(self) -> None:
        """Begin to drop what is not asked for."""

    async def stop(self) -> None:
        """Hold nothing any more."""

    def reconfigure(self, settings: Settings) -> None:
        """Use other settings from now on."""

    async def fetch(self, part: Part, views: Views) -> Views:
        """Implement `Fetch`."""

    def status(self) -> HeldStatus:
        """Return how much is held, and how old it is."""


#: Returns views for one question: with a part that was not held, and all that the views before them held.  Raises Unavailable.
Fetch: TypeAlias = Callable[[Part, Views], Awaitable[Views]]


class WholeState:
    """The views of an agent that holds the whole state."""

    is_lasting = True

    def __init__(self, view: View, execute_query: ExecuteQuery | None = None) -> None:
        self._view, self._execute_query = view, execute_query

    def service(self, name: str) -> View:
        """Return the state; likewise below."""
        return self._view

    def node(self, name: str) -> View:
        return self._view

    def address(self, text: str) -> View:
        return self._view

    def query(self, name: str, source: str) -> QueryResult | None:
        """Execute a prepared query."""
        return self._execute_query(name, source) if self._execute_query is not None else None


class Freshness(Protocol):
    """The freshness of a server's state (see `httpapi.core.forwarding.standing.Standing`)."""

    @property
    def always_current(self) -> bool: ...
    @property
    def has_state(self) -> bool: ...
    @property
    def last_contact_ms(self) -> int: ...
    def barrier(self) -> Awaitable[None] | None: ...


class ClusterViews:
    """The views of a server of a cluster: its state, once it is as fresh as `allow_stale` and `max_stale` ask for.

    elsewhere: what is asked while this server has no state, since it waits for its cluster or for its vote.
    """

    def __init__(
        self, state: WholeState, freshness: Freshness, settings: Settings, elsewhere: PartHolder | None = None
    ) -> None:
        self._state, self._freshness, self._settings, self._elsewhere = state, freshness, settings, elsewhere

    def reconfigure(self, settings: Settings) -> None:
        """Use other settings from now on."""
        self._settings = settings
        if self._elsewhere is not None:
            self._elsewhere.reconfigure(settings)

    @property
    def is_lasting(self) -> bool:
        """Return whether answers may be kept: not where their age is limited."""
        return self._freshness.always_current or not self._settings.limits_age

    def service(self, name: str) -> View:
        """Return the state; likewise below.  Raises NotHeld when it may be too old."""
        self._check("service", name)
        return self._state.service(name)

    def node(self, name: str) -> View:
        self._check("node", name)
        return self._state.node(name)

    def address(self, text: str) -> View:
        self._check("address", text)
        return self._state.address(text)

    def query(self, name: str, source: str) -> QueryResult | None:
        """Execute a prepared query.  Raises NotHeld."""
        self._check("query", name, source)
        return self._state.query(name, source)

    def _check(self, kind: str, name: str, source: str = "") -> None:
        freshness, settings = self._freshness, self._settings
        if freshness.always_current:
            return
        if not freshness.has_state and self._elsewhere is not None:
            raise NotHeld(Part(kind, name.lower(), source))
        age_s = freshness.last_contact_ms / 1000
        if not settings.allow_stale or age_s > settings.max_stale_s or not freshness.has_state:
            raise NotHeld(Part("state", ""))

    async def fetch(self, part: Part, views: Views) -> Views:
        """Return the state as soon as it is current; a part from elsewhere while there is none.  Raises Unavailable."""
        if self._elsewhere is not None and not self._freshness.has_state and part.kind != "state":
            return await self._elsewhere.fetch(part, self._elsewhere if views is self else views)
        barrier = self._freshness.barrier()
        if barrier is not None:
            await barrier
        return self._state
