"""What handlers work with: the settings, a read-only view of the state, and a way to commit.  Never the runtime."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from pyconsul.agent.acl.login_limit import LoginLimit
from pyconsul.agent.acl.resolver import Resolver
from pyconsul.agent.common.steps import Steps
from pyconsul.agent.config.config import Config
from pyconsul.agent.engine.history.contract import Kept
from pyconsul.agent.events.event_log import EventLog
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import Answer
from pyconsul.agent.httpapi.handlers.acl.login_keys import LoginKeys
from pyconsul.agent.state.contract import View
from pyconsul.agent.state.watches import Watches
from pyconsul.agent.state.write_txn import WriteTxn
from pyconsul.agent.sync.agent_tokens import AgentTokens
from pyconsul.agent.sync.local_agent import LocalAgent
from pyconsul.agent.telemetry.loop_lag import LoopLag


class Control(Protocol):
    """Control of the running agent."""

    @property
    def config(self) -> Config:
        """The effective settings."""

    def reload(self) -> Awaitable[None]:
        """Read the settings again.  Raises ReloadError."""

    def leave(self) -> None:
        """Stop the agent after the current requests."""


def new_id() -> str:
    """A random UUID, from the system's own randomness: it may be a secret."""
    return str(uuid.uuid4())


T = TypeVar("T")


class Commit(Protocol):
    """Makes an operation durable; see `engine.writer`."""

    def __call__(self, operation: Callable[[WriteTxn], T], /) -> asyncio.Future[T]: ...


class CommitSteps(Protocol):
    """Makes a long operation durable, and lets others have their turn between its steps; see `engine.writer`."""

    def __call__(self, operation: Callable[[WriteTxn], Steps[T]], /) -> Awaitable[T]: ...


class Replace(Protocol):
    """Puts another state in place of all there is; see `engine.writer`."""

    def __call__(self, rows: Sequence[tuple[str, Any]], index: int, /) -> Awaitable[int]: ...


class KVHistory(Protocol):
    """Tells what was kept of the changes of a key, or of a tree; see `engine.contract`."""

    def __call__(self, key: str, *, tree: bool = False, after: int | None = None) -> Awaitable[Kept | None]: ...


class SessionClock(Protocol):
    """Ends sessions that are not renewed; see `duties.session_expiry`."""

    def renew(self, session_id: str, ttl: float, /) -> None:
        """Let a session live for its TTL (seconds) from now on."""


class OpenStream(Protocol):
    """Answers with a stream of other answers; see `streams`."""

    def __call__(self, request: Request, /) -> Answer: ...


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
    rng: random.Random = field(default_factory=random.Random)
    acl: Resolver | None = None  # None: nobody asks for tokens
    kv_history: KVHistory | None = None
    loop_lag: LoopLag | None = None
    open_stream: OpenStream | None = None  # given by the application
    login_keys: LoginKeys = field(default_factory=LoginKeys)
    login_limit: LoginLimit = field(default_factory=LoginLimit)
    started: float = field(default_factory=time.time)  # Unix seconds

    @property
    def config(self) -> Config:
        """The effective settings; a reload replaces them."""
        return self.control.config
