"""Queries: a question gossiped to the pool, answered directly to the member that asked.

A received query that the buffer of recent queries calls NEW (rules: `recent.py`; its key is the ID) goes this way:

| step | when | effect |
| --- | --- | --- |
| 1 rebroadcast, byte for byte | unless its flags forbid it; also if the filters exclude this member | Broadcast |
| 2 stop | a filter excludes this member or cannot be read | – / LogLine |
| 3 ack | its flags ask for it | SendMessage to the asker, and through relays |
| 4 deliver | always | the ReceivedQuery, to be answered once, before the deadline |

Relays: with relay factor r > 0 and at least r + 1 members, the message goes to r random alive members, too, which send it on.
A query of this agent is open until its deadline. Answers are dropped if they are late, foreign (another time or ID), repeated, or
from a name that is not a member. Source: Serf's behavior (PROTOCOL, section 8.5).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import msgspec

from pyconsul.agent.gossip.serf.addresses import ip_bytes
from pyconsul.agent.gossip.serf.effects import (
    NOTHING,
    Broadcast,
    Effect,
    Effects,
    LogLine,
    QueryAcked,
    QueryAnswered,
    QueryClosed,
    QueryHandle,
    Queue,
    ReceivedQuery,
    SendMessage,
)
from pyconsul.agent.gossip.serf.lamport import LamportClock
from pyconsul.agent.gossip.serf.members import MemberTable
from pyconsul.agent.gossip.serf.queries.filters import InvalidFilter, passes
from pyconsul.agent.gossip.serf.recent import RecentBuffer, Verdict
from pyconsul.agent.gossip.serf.rng import Rng
from pyconsul.agent.gossip.serf.settings import HARD_SIZE_LIMIT, SerfSettings
from pyconsul.agent.gossip.wire.serf_messages import (
    QUERY_FLAG_ACK,
    QUERY_FLAG_NO_BROADCAST,
    Query,
    QueryResponse,
    Relay,
    encode_serf_message,
)
from pyconsul.agent.model.member import Member, MemberStatus

RELAY_MIN_PROTOCOL = 5  # members below this protocol version cannot relay
MAX_TIMEOUT_NS = 3600 * 1_000_000_000  # own bound of a received query's timeout
_WARNINGS = {
    Verdict.EXPIRED: "it is too old to tell whether it was seen",
    Verdict.INVALID: "the time is invalid",
    Verdict.FLOOD: "too many queries have this time",
}


class QueryError(ValueError):
    """A query or an answer that cannot be sent; the text says why."""


class QueryParameters(msgspec.Struct, frozen=True, kw_only=True):
    """How a query is asked. `filters`: see `filters.encode_filters`."""

    timeout_s: float
    filters: tuple[bytes, ...] | None = None
    wants_ack: bool = False
    relay_factor: int = 0


class QueryInbox:
    """The query clock, and what this agent does with queries of others (and with its own, which it receives, too)."""

    def __init__(self, settings: SerfSettings, members: MemberTable, rng: Rng, *, seen_time: int = 0) -> None:
        """`seen_time`: the query clock of the snapshot; queries at or below it were handled before the restart."""
        self._settings = settings
        self._members = members
        self._rng = rng
        self._recent: RecentBuffer[int] = RecentBuffer(seen_time=seen_time)

    @property
    def clock(self) -> LamportClock:
        """The clock of queries."""
        return self._recent.clock

    def receive(self, query: Query, message: bytes, now: float) -> tuple[ReceivedQuery | None, Effects]:
        """Take in a query; returns it if it is to be delivered."""
        if len(message) > HARD_SIZE_LIMIT:
            return None, (
                LogLine("query-too-large", f"ignored query: {len(message)} bytes, more than {HARD_SIZE_LIMIT}"),
            )
        verdict = self._recent.admit(query.time, query.id)
        if verdict in _WARNINGS:
            text = f"ignored query: name={query.name!r} time={query.time} now={self.clock.time}: {_WARNINGS[verdict]}"
            return None, (LogLine(f"query-{verdict.name.lower()}", text),)
        if verdict is not Verdict.NEW:
            return None, NOTHING
        effects: list[Effect] = []
        if not query.flags & QUERY_FLAG_NO_BROADCAST:
            effects.append(Broadcast(Queue.QUERIES, message))
        try:
            if not passes(query.filters, self._settings.node_name, self._own_tags()):
                return None, effects
        except InvalidFilter as error:
            effects.append(LogLine("query-filter", f"ignored query: name={query.name!r}: {error}"))
            return None, effects
        received = _received(query, now)
        if query.flags & QUERY_FLAG_ACK:
            effects.extend(self._send(received, QUERY_FLAG_ACK, None))
        return received, effects

    def respond(self, query: ReceivedQuery, payload: bytes, now: float) -> Effects:
        """Answer a query. Raises QueryError if it was answered, is over, or the answer is too large."""
        if query.is_answered:
            raise QueryError("query response has been sent already")
        if now > query.deadline:
            raise QueryError("query response is past the deadline")
        effects = self._send(query, 0, payload)
        query.is_answered = True
        return effects

    def size_of_response(self, query: ReceivedQuery, payload: bytes) -> int:
        """Return the bytes of an encoded answer."""
        return len(self._response(query, 0, payload))

    def _send(self, query: ReceivedQuery, flags: int, payload: bytes | None) -> list[Effect]:
        message = self._response(query, flags, payload)
        limit = self._settings.query_response_size_limit
        if len(message) > limit:
            raise QueryError(f"query response exceeds limit of {limit} bytes")
        effects: list[Effect] = [SendMessage(query.ip, query.port, query.source_node, message)]
        relays = self._relays(min(query.relay_factor, self._settings.max_relays), query.source_node)
        if relays:
            relayed = encode_serf_message(Relay(query.ip, query.port, query.source_node, message))
            effects.extend(SendMessage(ip_bytes(relay.address), relay.port, relay.name, relayed) for relay in relays)
        return effects

    def _response(self, query: ReceivedQuery, flags: int, payload: bytes | None) -> bytes:
        response = QueryResponse(query.time, query.id, self._settings.node_name, flags, payload)
        return encode_serf_message(response)

    def _relays(self, count: int, asker: str) -> list[Member]:
        """Return up to `count` random members that can relay."""
        if count == 0 or len(self._members) < count + 1:
            return []
        excluded = (self._settings.node_name, asker)
        fit = [
            member
            for member in self._members.with_status(MemberStatus.ALIVE)
            if member.protocol_max >= RELAY_MIN_PROTOCOL and member.name not in excluded
        ]
        chosen: list[Member] = []
        while fit and len(chosen) < count:
            member = self._rng.choice(fit)
            fit.remove(member)
            chosen.append(member)
        return chosen

    def _own_tags(self) -> dict[str, str]:
        own = self._members.get(self._settings.node_name)
        return own.tags if own else {}


def _received(query: Query, now: float) -> ReceivedQuery:
    timeout_ns = min(max(query.timeout_ns, 0), MAX_TIMEOUT_NS)
    return ReceivedQuery(
        time=query.time,
        id=query.id,
        name=query.name,
        payload=query.payload or b"",
        ip=query.ip,
        port=query.port,
        source_node=query.source_node,
        relay_factor=query.relay_factor,
        deadline=now + timeout_ns / 1e9,
    )


class _OpenQuery:
    """A query of this agent that still takes answers."""

    __slots__ = ("acks", "answers", "deadline", "handle", "wants_ack")

    def __init__(self, handle: QueryHandle, deadline: float, *, wants_ack: bool) -> None:
        self.handle, self.deadline, self.wants_ack = handle, deadline, wants_ack
        self.acks: set[str] = set()
        self.answers: set[str] = set()


class OpenQueries:
    """The queries that this agent has asked, and who has answered."""

    def __init__(self, settings: SerfSettings, rng: Rng, is_member: Callable[[str], bool]) -> None:
        self._settings = settings
        self._rng = rng
        self._is_member = is_member
        self._open: dict[int, _OpenQuery] = {}

    def __contains__(self, handle: QueryHandle) -> bool:
        found = self._open.get(handle.time)
        return found is not None and found.handle == handle

    def ask(
        self, name: str, payload: bytes, parameters: QueryParameters, *, time: int, own: Member, now: float
    ) -> tuple[QueryHandle, Query, bytes]:
        """Open a query; returns it with its encoding, to be received by this agent as well. Raises QueryError.

        `time` is the present time of the query clock, `own` this agent, to which the answers go.
        """
        query = Query(
            time=time,
            id=self._rng.getrandbits(31),
            ip=ip_bytes(own.address),
            port=own.port,
            source_node=own.name,
            filters=parameters.filters,
            flags=QUERY_FLAG_ACK if parameters.wants_ack else 0,
            relay_factor=parameters.relay_factor,
            timeout_ns=int(parameters.timeout_s * 1e9),
            name=name,
            payload=payload,
        )
        message = encode_serf_message(query)
        if len(message) > self._settings.query_size_limit:
            raise QueryError(f"query exceeds limit of {self._settings.query_size_limit} bytes")
        handle = QueryHandle(query.time, query.id)
        self._open[time] = _OpenQuery(handle, now + parameters.timeout_s, wants_ack=parameters.wants_ack)
        return handle, query, message

    def receive(self, response: QueryResponse, now: float) -> QueryAcked | QueryAnswered | None:
        """Take in an ack or an answer; None if it is to be dropped."""
        query = self._open.get(response.time)
        if (
            query is None
            or query.handle.id != response.id
            or now > query.deadline
            or not self._is_member(response.source)
        ):
            return None
        if response.flags & QUERY_FLAG_ACK:
            if not query.wants_ack or response.source in query.acks:
                return None
            query.acks.add(response.source)
            return QueryAcked(query.handle, response.source)
        if response.source in query.answers:
            return None
        query.answers.add(response.source)
        return QueryAnswered(query.handle, response.source, response.payload or b"")

    def close(self, handle: QueryHandle) -> None:
        """Take no further answers."""
        if handle in self:
            del self._open[handle.time]

    def expire(self, now: float) -> Sequence[QueryClosed]:
        """Close the queries whose deadline has passed."""
        closed = [QueryClosed(query.handle) for query in self._open.values() if query.deadline <= now]
        for query in closed:
            del self._open[query.handle.time]
        return closed

    def next_deadline(self) -> float:
        """Return when the next query ends; infinite: never."""
        return min(query.deadline for query in self._open.values()) if self._open else math.inf
