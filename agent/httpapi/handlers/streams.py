"""Many blocking queries on one connection: `POST /v1/pyconsul/watch`.

    {"Queries": [{"ID": 1, "Path": "/v1/health/service/web", "Params": {"passing": "1"}, "Index": 0}, …]}

`Path` and `Params` are those of a GET, not escaped; `Index` is that of the answer the caller has, or 0. What comes back
is a stream of lines, each an object:

    {"ID":1,"Index":42,"Status":200,"Body":[…]}   the answer, unless the caller has it; then each answer that differs
    {"ID":1,…,"Status":200,"Filtered":true,…}     the same, when the caller's token hides a part of it
    {"ID":2,"Index":7,"Status":404}               it does not exist; watching continues, as above
    {"ID":3,"Index":0,"Status":403,"Text":"…"}    refused: no more comes of this one
    {}                                            every query has been read; later: nothing new for a while

Every response is made as that of the GET, with the caller's permissions at that moment. A slow reader gets
fewer responses, always the latest: changes are noted, and read when the reader has taken the last part.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from time import monotonic
from urllib.parse import quote, urlencode

import msgspec

from pyconsul.agent.httpapi.core.context import Context, OpenStream, Reads, StreamBudget
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import (
    FILTERED,
    JSON,
    TEXT,
    HTTPError,
    Response,
    bad_request,
    encode,
)
from pyconsul.agent.httpapi.core.router import Read, Route
from pyconsul.agent.state.acl.tables import TOPIC
from pyconsul.agent.state.watches import Watches

MAX_STREAM_QUERIES = 10_000
KEEPALIVE_S = 15.0  # without news, before an empty object is sent
MIN_INTERVAL_S = 0.02  # between two rounds: a value that changes all the time is not sent each time
PART_BYTES = 64 << 10  # that are sent together, if there are as many
SLICE = 64  # queries that are read before other tasks run
SLICE_S = 0.005  # after which other tasks run in any case
ALIVE = b"{}\n"
LINES = ((b"Content-Type", b"application/x-ndjson"),)


class Question(msgspec.Struct, forbid_unknown_fields=True):
    """One query, as it is sent."""

    id: int = msgspec.field(name="ID")
    path: str = msgspec.field(name="Path")
    params: dict[str, str] = msgspec.field(name="Params", default_factory=dict)
    index: int = msgspec.field(name="Index", default=0)


class Questions(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a request."""

    queries: list[Question] = msgspec.field(name="Queries")


def open_stream(context: Context, request: Request) -> OpenStream:
    """Open a stream.  Raises HTTPError for queries that are malformed or too many."""
    try:
        questions = msgspec.json.decode(request.body, type=Questions).queries
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise bad_request(f"Request decode failed: {error}") from None
    if not 0 < len(questions) <= MAX_STREAM_QUERIES:
        raise bad_request(f"{len(questions)} queries in a stream: from 1 to {MAX_STREAM_QUERIES:,} are allowed")
    if len({question.id for question in questions}) < len(questions):
        raise bad_request("two queries have the same ID")
    budget = context.stream_budget
    if budget.used + len(questions) > budget.limit:
        raise HTTPError(429, f"more than {budget.limit:,} queries are watched in streams")

    def opened(reads: Reads) -> Response:
        stream = Stream(reads, context.watches, request, questions)
        return Response(200, headers=LINES, stream=_counted(stream, len(questions), budget))

    return OpenStream(opened)


async def _counted(stream: Stream, count: int, budget: StreamBudget) -> AsyncIterator[bytes]:
    budget.take(count)
    try:
        async for part in stream.parts():
            yield part
    finally:
        stream.close()
        budget.give_back(count)


class _Watched:
    """One query of a stream. `mark`: status and digest of what its reader has, None while that is not known."""

    __slots__ = ("id", "index", "mark", "prefixes", "request", "stream", "topics")

    def __init__(self, stream: Stream, question: Question, request: Request) -> None:
        self.stream, self.id, self.index, self.request = stream, question.id, question.index, request
        self.mark: tuple[int, int] | None = None
        self.topics: tuple[str, ...] = ()
        self.prefixes: tuple[str, ...] = ()

    def wake(self) -> None:
        """Note that the response may have changed."""
        self.stream.note(self)


class Stream:
    """The lines of one caller."""

    def __init__(self, reads: Reads, watches: Watches, request: Request, questions: list[Question]) -> None:
        self._reads, self._watches, self._caller = reads, watches, request
        self._seen_rights: object = None
        self._event = asyncio.Event()
        self._watched = dict.fromkeys(_Watched(self, question, _get(request, question)) for question in questions)
        self._dirty = dict(self._watched)

    def note(self, watched: _Watched) -> None:
        """Read a query again in the next round."""
        self._dirty[watched] = None
        self._event.set()

    async def parts(self) -> AsyncIterator[bytes]:
        """Yield parts of the response until the agent stops or every query is refused."""
        self._seen_rights = self._reads.rights(self._caller)
        self._watches.add(self._rights_changed, (TOPIC,))
        first = True
        while self._watched and not self._watches.closed:
            self._event.clear()
            for part in self._round():
                if part:
                    yield part
                await asyncio.sleep(0)
            if first:
                yield ALIVE
                first = False
            else:
                await asyncio.sleep(MIN_INTERVAL_S)
            while self._watched and not await self._is_news():
                yield ALIVE

    async def _is_news(self) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(KEEPALIVE_S):
                await self._event.wait()
            return True
        return False

    def _round(self) -> Iterator[bytes]:
        """Yield the lines of all queries that may have changed, in parts; b"" to let other tasks run."""
        lines: list[bytes] = []
        size = 0
        todo, self._dirty = self._dirty, {}
        until = monotonic() + SLICE_S
        for looked, watched in enumerate(todo, 1):
            # Refused meanwhile: noted before that.
            if watched in self._watched and (line := self._line(watched)):
                lines.append(line)
                size += len(line)
            if size >= PART_BYTES or looked % SLICE == 0 or monotonic() >= until:
                yield b"".join(lines)
                lines, size = [], 0
                until = monotonic() + SLICE_S
        if lines:
            yield b"".join(lines)

    def _line(self, watched: _Watched) -> bytes:
        self._watches.remove(watched.wake, watched.topics, watched.prefixes)
        seen = self._reads.look(watched.request)
        response, watched.topics, watched.prefixes = seen.response, seen.topics, seen.prefixes
        final = not (watched.topics or watched.prefixes)
        if not final and response.status == 200 and response.headers[:1] != JSON:
            response, final = Response(400, b"its answer is not JSON", TEXT), True
        if final:
            del self._watched[watched]
            return refusal(watched.id, response.status, response.body.decode("utf-8", "replace"))
        self._watches.add(watched.wake, watched.topics, watched.prefixes)
        mark = response.status, hash(response.body)
        has_it = watched.mark == mark or (watched.mark is None and watched.index == seen.index)
        watched.mark = mark
        if has_it:
            return b""
        if response.status != 200:
            return b'{"ID":%d,"Index":%d,"Status":%d}\n' % (watched.id, seen.index, response.status)
        filtered = b',"Filtered":true' if FILTERED[0] in response.headers else b""
        return b'{"ID":%d,"Index":%d,"Status":200%b,"Body":%b}\n' % (watched.id, seen.index, filtered, response.body)

    def _rights_changed(self) -> None:
        """Read all queries again if the caller's permissions are among those that changed."""
        if self._watches.closed:
            self._event.set()
            return
        self._watches.add(self._rights_changed, (TOPIC,))
        # Cached permissions may be dropped after this call.
        asyncio.get_running_loop().call_soon(self._compare_rights)

    def _compare_rights(self) -> None:
        rights = self._reads.rights(self._caller)
        if rights is not self._seen_rights:
            self._seen_rights = rights
            for watched in self._watched:
                self.note(watched)

    def close(self) -> None:
        """Release the watches: the reader is gone."""
        self._watches.remove(self._rights_changed, (TOPIC,))
        for watched in self._watched:
            self._watches.remove(watched.wake, watched.topics, watched.prefixes)
        self._watched.clear()
        self._dirty.clear()


def refusal(query_id: int, status: int, text: str) -> bytes:
    """Return the last line of a query."""
    return b'{"ID":%d,"Index":0,"Status":%d,"Text":%b}\n' % (query_id, status, encode(text))


def _get(caller: Request, question: Question) -> Request:
    """Return the GET that a question stands for, from the same caller."""
    params = question.params
    if (
        caller.origin and params.get("near") == "_agent"
    ):  # responses are kept by target only, without the agent that forwarded the request
        params = {**params, "near": caller.origin}
    query = "?" + urlencode(params) if params else ""
    token = caller.token
    headers: dict[bytes, bytes] = {b"x-consul-token": token.encode("latin-1", "replace")} if token else {}
    request = Request("GET", (quote(question.path) + query).encode(), headers, b"", caller.remote)
    request.origin = caller.origin
    return request


ROUTES = (Route("/v1/pyconsul/watch", {"POST": Read(open_stream, "open")}, writes=False, endless=True),)
