"""Effects: what Serf's state machines ask their driver to do, as data. The driver carries them out in the order given."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import TypeAlias

import msgspec

from pyconsul.agent.model.member import Member, MemberEvent


class Queue(IntEnum):
    """The broadcast queues in the order in which packets are filled from them; queue 0 holds membership broadcasts."""

    INTENTS = 1
    QUERIES = 2
    EVENTS = 3


class Broadcast(msgspec.Struct, frozen=True):
    """Gossip a message to the pool, its full number of times.

    `replaces`: an older broadcast of the same queue and key is dropped (own choice: Serf keeps both; with one intent per member
    the queue cannot outgrow the pool). `token`: call `Serf.broadcast_finished(token)` once it was sent its full number of times.
    """

    queue: Queue
    message: bytes
    replaces: str = ""
    token: str = ""


class SendMessage(msgspec.Struct, frozen=True):
    """Send a message to one member as a user packet, best effort."""

    ip: bytes
    port: int
    node: str
    message: bytes


class MemberChanged(msgspec.Struct, frozen=True):
    """A member joined, left, failed, changed or was erased; `member` is its new (or last) state."""

    event: MemberEvent
    member: Member


class UserEventReceived(msgspec.Struct, frozen=True):
    """A user event is delivered, once. `time` is its Lamport time."""

    time: int
    name: str
    payload: bytes
    coalesce: bool


class ReceivedQuery(msgspec.Struct):
    """A query that this agent may answer until `deadline` (seconds of the caller's clock), with `Serf.respond`."""

    time: int
    id: int
    name: str
    payload: bytes
    ip: bytes
    port: int
    source_node: str
    relay_factor: int
    deadline: float
    is_answered: bool = False


class QueryReceived(msgspec.Struct, frozen=True):
    """A query of a user is delivered, once."""

    query: ReceivedQuery


class QueryHandle(msgspec.Struct, frozen=True):
    """Names a query asked by this agent."""

    time: int
    id: int


class QueryAcked(msgspec.Struct, frozen=True):
    """A member received the query of this agent."""

    handle: QueryHandle
    node: str


class QueryAnswered(msgspec.Struct, frozen=True):
    """A member answered the query of this agent."""

    handle: QueryHandle
    node: str
    payload: bytes


class QueryClosed(msgspec.Struct, frozen=True):
    """The query of this agent has timed out; no further answers are accepted."""

    handle: QueryHandle


class StoreKeyring(msgspec.Struct, frozen=True):
    """Use these keys from now on, the primary one first, and write them to the keyring file; then call `Serf.keyring_stored`."""

    keys: tuple[bytes, ...]
    query: ReceivedQuery


class KeyReport(msgspec.Struct):
    """The result of a key operation on the whole pool.

    `keys` and `primary_keys` count the members that have a key (base64); `messages` are errors and warnings by member.
    """

    members: int
    responses: int = 0
    errors: int = 0
    messages: dict[str, str] = {}
    keys: dict[str, int] = {}
    primary_keys: dict[str, int] = {}

    @property
    def error(self) -> str:
        """The text of the failure of the whole operation; "" for none."""
        if self.errors:
            return f"{self.errors}/{self.members} nodes reported failure"
        if self.responses != self.members:
            return f"{self.responses}/{self.members} nodes reported success"
        return ""


class KeyReported(msgspec.Struct, frozen=True):
    """A key operation of this agent has ended."""

    handle: QueryHandle
    report: KeyReport


class Reconnect(msgspec.Struct, frozen=True):
    """Try a push/pull with Join with a failed member."""

    member: Member


class LeaveMembership(msgspec.Struct, frozen=True):
    """Let the membership protocol declare this agent dead by itself; then call `Serf.membership_left`."""


class LeftPool(msgspec.Struct, frozen=True):
    """The leave is complete: the sockets may be closed."""


class ShutDown(msgspec.Struct, frozen=True):
    """Another agent of this name has the majority: stop without leaving."""

    reason: str


class LogLine(msgspec.Struct, frozen=True):
    """One line for the log. Lines of one `category` are counted and rate-limited together."""

    category: str
    text: str
    is_error: bool = False


Effect: TypeAlias = (
    Broadcast
    | SendMessage
    | MemberChanged
    | UserEventReceived
    | QueryReceived
    | QueryAcked
    | QueryAnswered
    | QueryClosed
    | StoreKeyring
    | KeyReported
    | Reconnect
    | LeaveMembership
    | LeftPool
    | ShutDown
    | LogLine
)
Effects: TypeAlias = Sequence[Effect]
NOTHING: Effects = ()
