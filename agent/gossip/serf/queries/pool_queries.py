"""All queries of one pool: those of users, and the internal ones (`_serf_…`), which this agent asks and answers by itself.

| internal query | answer | what the asker does with the answers |
| --- | --- | --- |
| `_serf_ping` | only the ack | – |
| `_serf_conflict` | the member of that name; silence from that member | shuts down without a majority (`conflicts.py`) |
| `_serf_…-key` | the result, once the keyring file is written (`keys.py`) | KeyReported, when all have answered or at the end |

An answer of this agent to its own query does not go over the network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyconsul.agent.gossip.serf.addresses import ip_bytes
from pyconsul.agent.gossip.serf.effects import (
    NOTHING,
    Effect,
    Effects,
    KeyReport,
    KeyReported,
    LogLine,
    QueryAnswered,
    QueryClosed,
    QueryHandle,
    QueryReceived,
    ReceivedQuery,
    SendMessage,
    ShutDown,
    StoreKeyring,
)
from pyconsul.agent.gossip.serf.lamport import LamportClock
from pyconsul.agent.gossip.serf.members import MemberTable
from pyconsul.agent.gossip.serf.queries import conflicts, keys
from pyconsul.agent.gossip.serf.queries.exchange import OpenQueries, QueryError, QueryInbox, QueryParameters
from pyconsul.agent.gossip.serf.queries.filters import encode_filters
from pyconsul.agent.gossip.serf.queries.keys import KeyOperation, KeyringError, Keys
from pyconsul.agent.gossip.serf.rng import Rng
from pyconsul.agent.gossip.serf.settings import INTERNAL_QUERY, SerfSettings, query_timeout_s
from pyconsul.agent.gossip.wire.errors import DecodeError
from pyconsul.agent.gossip.wire.serf_messages import (
    Query,
    QueryResponse,
    Relay,
    decode_serf_message,
)
from pyconsul.agent.model.member import Member, MemberStatus

PING_QUERY = f"{INTERNAL_QUERY}ping"
QUERY_RESPONSE_TYPE = 5
_OPERATIONS = {operation.value: operation for operation in KeyOperation}


class PoolQueries:
    """The queries of one pool, the keyring that they manage, and the reports about them."""

    def __init__(
        self, settings: SerfSettings, members: MemberTable, rng: Rng, *, keyring: Keys = (), seen_time: int = 0
    ) -> None:
        """`keyring`: the keys in use, the primary one first; `seen_time`: the query clock of the snapshot."""
        self._settings = settings
        self._members = members
        self._inbox = QueryInbox(settings, members, rng, seen_time=seen_time)
        self._open = OpenQueries(settings, rng, members.__contains__)
        self._reports: dict[QueryHandle, KeyReport] = {}
        self._votes: dict[QueryHandle, conflicts.Vote] = {}
        self.keyring = keyring

    @property
    def clock(self) -> LamportClock:
        """The clock of queries."""
        return self._inbox.clock

    def ask(
        self,
        name: str,
        payload: bytes,
        now: float,
        *,
        nodes: Sequence[str] = (),
        tags: Mapping[str, str] | None = None,
        wants_ack: bool = False,
        relay_factor: int = 0,
        timeout_s: float | None = None,
    ) -> tuple[QueryHandle, Effects]:
        """Ask the pool. `nodes` and `tags` (regular expressions) restrict who answers; without `timeout_s`, the default is used.

        Raises QueryError, and InvalidFilter for a faulty regular expression.
        """
        own = self._members.get(self._settings.node_name)
        if own is None:
            raise QueryError("query cannot be sent: this agent is not a member yet")
        if timeout_s is None:
            timeout_s = query_timeout_s(self._settings.gossip_interval_s, self._members_alive())
        parameters = QueryParameters(
            timeout_s=timeout_s,
            filters=encode_filters(nodes, tags or {}),
            wants_ack=wants_ack,
            relay_factor=relay_factor,
        )
        handle, query, message = self._open.ask(name, payload, parameters, time=self.clock.time, own=own, now=now)
        if name in _OPERATIONS:
            self._reports[handle] = KeyReport(self._members_alive())
        elif name == conflicts.CONFLICT_QUERY:
            self._votes[handle] = conflicts.Vote(own)
        return handle, self.receive(query, message, now)

    def receive(self, query: Query, message: bytes, now: float) -> Effects:
        """Take in a query; `message` is its encoding, to be rebroadcast."""
        received, effects = self._inbox.receive(query, message, now)
        if received is None:
            return effects
        if received.name.startswith(INTERNAL_QUERY):
            return self._delivered([*effects, *self._answer_internal(received, now)], now)
        return self._delivered([*effects, QueryReceived(received)], now)

    def receive_response(self, response: QueryResponse, now: float) -> Effects:
        """Take in an ack or an answer to a query of this agent."""
        progress = self._open.receive(response, now)
        if progress is None:
            return NOTHING
        handle = progress.handle
        report, vote = self._reports.get(handle), self._votes.get(handle)
        if not isinstance(progress, QueryAnswered) or (report is None and vote is None):
            return (progress,)
        if report is not None:
            keys.add_answer(report, progress.node, progress.payload)
            if report.responses >= report.members:
                self._open.close(handle)
                return self._finish(handle)
        if vote is not None:
            try:
                vote.add(progress.payload)
            except DecodeError as error:
                return (
                    LogLine("conflict-response", f"ignored answer of {progress.node!r} about a name conflict: {error}"),
                )
        return NOTHING

    def relay(self, message: Relay) -> Effects:
        """Send a response on to the member that asked; nothing else is relayed."""
        if message.message[:1] != bytes((QUERY_RESPONSE_TYPE,)):
            return (LogLine("relay", "ignored relay message: it holds no query response"),)
        return (SendMessage(message.ip, message.port, message.node, message.message),)

    def respond(self, query: ReceivedQuery, payload: bytes, now: float) -> Effects:
        """Answer a query. Raises QueryError if it was answered, is over, or the answer is too large."""
        return self._delivered(self._inbox.respond(query, payload, now), now)

    def manage_keys(
        self, operation: KeyOperation, key: str, now: float, *, relay_factor: int = 0
    ) -> tuple[QueryHandle, Effects]:
        """Start a key operation on all members; `key` in base64 (ignored by LIST). Raises ValueError if it is not."""
        return self.ask(operation.value, keys.request_payload(operation, key), now, relay_factor=relay_factor)

    def keyring_stored(self, stored: StoreKeyring, error: str, now: float) -> Effects:
        """The keyring file was written, or not (`error`): answer the query that changed the keyring."""
        return self._try_respond(stored.query, keys.failure(error) if error else keys.success(), now)

    def name_conflict(self, node: str, others: str, now: float, *, is_same: bool = False) -> Effects:
        """The membership protocol heard of a name at a second address (`others`, as text).

        is_same: with the same node ID, so the agent may have moved.
        """
        own_name = self._settings.node_name
        if is_same:
            named = "this agent" if node == own_name else f"agent {node!r}"
            text = (
                f"{named} has two addresses, {others} is ignored: if it has moved, the old one is forgotten once it is missed;"
                " otherwise a copy of its data folder runs there, which needs another -node and no node-id file"
            )
            return (LogLine("name-conflict", text),)
        if node != own_name:
            return (LogLine("name-conflict", f"two members are named {node!r}: the one at {others} is ignored"),)
        line = LogLine(
            "name-conflict",
            f"another agent at {others} uses the name of this agent: {node!r}; start one of them with another -node",
            is_error=True,
        )
        if not self._settings.resolve_name_conflicts or self._votes:
            return (line,)
        return (line, *self.ask(conflicts.CONFLICT_QUERY, node.encode(), now)[1])

    def tick(self, now: float) -> list[Effect]:
        """Close the queries whose time is over."""
        effects: list[Effect] = []
        for closed in self._open.expire(now):
            is_internal = closed.handle in self._reports or closed.handle in self._votes
            effects += self._finish(closed.handle) if is_internal else (QueryClosed(closed.handle),)
        return effects

    def deadline(self) -> float:
        """Return when `tick` is due; infinite: never."""
        return self._open.next_deadline()

    def _finish(self, handle: QueryHandle) -> Effects:
        """Conclude an internal query of this agent."""
        report = self._reports.pop(handle, None)
        if report is not None:
            return (KeyReported(handle, report),)
        vote = self._votes.pop(handle, None)
        if vote is None or vote.is_kept:
            return NOTHING
        reason = f"another agent keeps the name: {vote.matching} of {vote.answers} members know this agent under it"
        return (ShutDown(reason),)

    def _answer_internal(self, query: ReceivedQuery, now: float) -> Effects:
        if query.name == PING_QUERY:
            return NOTHING
        if query.name == conflicts.CONFLICT_QUERY:
            name = query.payload.decode(errors="replace")
            if name == self._settings.node_name:
                return NOTHING
            return self._try_respond(query, conflicts.answer(self._members.get(name)), now)
        operation = _OPERATIONS.get(query.name)
        if operation is None:
            return (LogLine("internal-query", f"ignored unknown internal query: {query.name!r}"),)
        return self._answer_key_query(operation, query, now)

    def _answer_key_query(self, operation: KeyOperation, query: ReceivedQuery, now: float) -> Effects:
        if operation is KeyOperation.LIST:
            limit = self._settings.query_response_size_limit
            answer = keys.listing(self.keyring, lambda payload: self._inbox.size_of_response(query, payload) <= limit)
            return self._try_respond(query, answer, now)
        try:
            self.keyring = keys.changed(self.keyring, operation, keys.requested_key(query.payload))
        except (KeyringError, DecodeError) as error:
            return self._try_respond(query, keys.failure(str(error)), now)
        return (StoreKeyring(self.keyring, query),)

    def _try_respond(self, query: ReceivedQuery, payload: bytes, now: float) -> Effects:
        """Answer an internal query; that it cannot be answered is only logged."""
        try:
            return self.respond(query, payload, now)
        except QueryError as error:
            return (LogLine("internal-query", f"cannot answer query {query.name!r}: {error}"),)

    def _delivered(self, effects: Effects, now: float) -> Effects:
        """Hand messages to this agent over at once."""
        own = self._members.get(self._settings.node_name)
        delivered: list[Effect] = []
        for effect in effects:
            if isinstance(effect, SendMessage) and own is not None and _is_for(effect, own):
                response = decode_serf_message(effect.message)
                delivered += self.receive_response(response, now) if isinstance(response, QueryResponse) else ()
            else:
                delivered.append(effect)
        return delivered

    def _members_alive(self) -> int:
        return len(self._members.with_status(MemberStatus.ALIVE, MemberStatus.LEAVING))


def _is_for(effect: SendMessage, own: Member) -> bool:
    return effect.node == own.name and (effect.ip, effect.port) == (ip_bytes(own.address), own.port)
