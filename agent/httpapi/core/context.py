"""The agent as its HTTP handlers see it: settings, a read-only view of the state, a way to commit.  Never the runtime."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from pyconsul.agent.acl.login_limit import LoginLimit
from pyconsul.agent.acl.methods.jwtkeys import VerifyingKey
from pyconsul.agent.acl.methods.methodconfig import JWTConfig
from pyconsul.agent.acl.resolver import Resolver
from pyconsul.agent.common.steps import Steps
from pyconsul.agent.config.config import Config
from pyconsul.agent.dnsd.views import PartHolder
from pyconsul.agent.engine.history.contract import HistorySlice
from pyconsul.agent.events.event_log import EventLog
from pyconsul.agent.events.timeline import Timeline
from pyconsul.agent.gossip.membership import Membership
from pyconsul.agent.httpapi.core.forwarding.agents import Agents
from pyconsul.agent.httpapi.core.forwarding.standing import Cluster, SingleServer, Standing
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import Response, Seen
from pyconsul.agent.reads.part_feeds import PartFeeds
from pyconsul.agent.state.contract import View
from pyconsul.agent.state.watches import Watches
from pyconsul.agent.state.write_txn import WriteTxn
from pyconsul.agent.sync.agent_tokens import AgentTokens
from pyconsul.agent.sync.local_agent import LocalAgent
from pyconsul.agent.telemetry.loop_lag import LoopLag
from pyconsul.agent.telemetry.pool_counters import PoolCounters


class Control(Protocol):
    """Control of the running agent."""

    @property
    def config(self) -> Config:
        """Return the effective settings."""

    def reload(self) -> Awaitable[None]:
        """Read the settings again.  Raises ReloadError."""

    def leave(self) -> Awaitable[None]:
        """Leave the gossip pool gracefully, then stop the agent after the current requests."""


def new_id() -> str:
    """Return a random UUID, from the system's own randomness: it may be a secret."""
    return str(uuid.uuid4())


T = TypeVar("T")


class Commit(Protocol):
    """Makes an operation durable; see `engine.writer`."""

    def __call__(self, operation: Callable[[WriteTxn], T], /) -> asyncio.Future[T]: ...


class CommitSteps(Protocol):
    """Makes a long operation durable; other operations run between its steps; see `engine.writer`."""

    def __call__(self, operation: Callable[[WriteTxn], Steps[T]], /) -> Awaitable[T]: ...


class Replace(Protocol):
    """Replaces the whole state; see `engine.writer`."""

    def __call__(self, rows: Sequence[tuple[str, Any]], index: int, /) -> Awaitable[int]: ...


class KVHistory(Protocol):
    """Returns the kept versions of a key or a tree; see `engine.contract`."""

    def __call__(self, key: str, *, tree: bool = False, after: int | None = None) -> Awaitable[HistorySlice | None]: ...


class SessionClock(Protocol):
    """Ends sessions that are not renewed; see `duties.session_expiry`."""

    def renew(self, session_id: str, ttl: float, /) -> None:
        """Renew a session for its TTL (seconds)."""


class LoginKeys(Protocol):
    """The keys that verify logins; see `handlers.acl.login_keys`."""

    def get(self, config: JWTConfig, /) -> Awaitable[list[VerifyingKey]]:
        """Return the keys of an auth method, kept or fetched.  Raises KeySetError."""

    def refreshed(self, config: JWTConfig, known: list[VerifyingKey], /) -> Awaitable[list[VerifyingKey]]:
        """Return newer keys than the known ones, if they may be fetched.  Raises KeySetError."""


class Reads(Protocol):
    """The reads of the API, as a stream of their responses uses them."""

    def look(self, request: Request, /) -> Seen:
        """Return the current response to a GET; never raises."""

    def rights(self, request: Request, /) -> object:
        """Return the permissions of a request's caller: the same object until they change; None for an unknown token."""


class OpenStream:
    """The return value of a handler whose response is made of other reads: the application passes them to `open`."""

    __slots__ = ("open",)

    def __init__(self, open: Callable[[Reads], Response]) -> None:
        self.open = open


class StreamBudget:
    """Counts the queries that are watched in all streams of an agent."""

    def __init__(self, limit: int = 100_000) -> None:
        self.limit, self.used = limit, 0

    def take(self, count: int) -> None:
        """Count queries that are watched now."""
        self.used += count

    def give_back(self, count: int) -> None:
        """Subtract queries that are no longer watched."""
        self.used -= count


class ForeignDatacenter(Exception):
    """Raised by a handler whose request body names another datacenter; the application forwards the request."""

    def __init__(self, datacenter: str) -> None:
        super().__init__(datacenter)
        self.datacenter = datacenter


@dataclass(slots=True)
class Context:
    """One agent, as its HTTP API sees it."""

    view: View
    watches: Watches
    commit: Commit
    commit_steps: CommitSteps
    replace: Replace
    session_clock: SessionClock
    agent: LocalAgent
    tokens: AgentTokens
    control: Control
    events: EventLog
    lan: Membership
    login_keys: LoginKeys
    rng: random.Random = field(default_factory=random.Random)
    standing: Standing = field(default_factory=SingleServer)
    wan: Membership | None = None  # None: a client agent, or a server without a WAN pool
    cluster: Cluster | None = None  # None: this server is the only one
    agents: Agents | None = None  # None: no other agent can be asked
    held_parts: PartHolder | None = None  # of an agent without the state; None: this agent holds the state
    parts_elsewhere: PartHolder | None = None  # of a server, for the time until it has the state
    acl: Resolver | None = None  # None: access control is off
    kv_history: KVHistory | None = None
    loop_lag: LoopLag | None = None
    timeline: Timeline | None = None  # None: of an agent without the state
    request_counts: Mapping[str, int] = field(default_factory=dict)  # of requests to servers, by metric
    pool_counters: PoolCounters = field(default_factory=PoolCounters)
    login_limit: LoginLimit = field(default_factory=LoginLimit)
    stream_budget: StreamBudget = field(default_factory=StreamBudget)
    started: float = field(default_factory=time.time)  # Unix seconds
    part_feeds: PartFeeds = field(init=False)

    def __post_init__(self) -> None:
        self.part_feeds = PartFeeds(self.view, self.watches)

    @property
    def config(self) -> Config:
        """Return the effective settings; a reload replaces them."""
        return self.control.config

    def agent_of(self, request: Request) -> str:
        """Return the node name of the agent that a client talks to: this one, or one that has forwarded the request."""
        return request.origin or self.config.node_name

    def require_here(self, datacenter: str) -> None:
        """Raises ForeignDatacenter unless a datacenter that a request body names is this one, or none."""
        if datacenter not in ("", self.config.datacenter):
            raise ForeignDatacenter(datacenter)
