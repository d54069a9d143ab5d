"""Servers that answer reads of one target as a test says; a blocking query waits until the test gives news."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs

from pyconsul.agent.httpapi.server.contract import HTTPRequest, Response
from pyconsul.agent.rpc.forwarding.question import Question, question_of
from support.eventually import one_turn


def question(target: str = "/v1/kv/a", token: str = "") -> Question:
    return question_of(HTTPRequest("GET", target.encode(), {}), token)


class ScriptedReads:
    """The servers.  asked: each target as it came.  waiting: the blocking queries that are under way, with their index."""

    def __init__(self) -> None:
        self.index, self.body, self.status = 1, b"first", 200
        self.asked: list[str] = []
        self.waiting: dict[asyncio.Future[None], int] = {}
        self.error: Exception | None = None
        self.has_index = True

    async def __call__(self, request: HTTPRequest) -> Response:
        self.asked.append(request.target.decode())
        query = parse_qs(request.target.partition(b"?")[2].decode())
        index = int(query.get("index", ["0"])[0])
        if self.error is not None:
            raise self.error
        if index and index >= self.index and self.has_index and query["wait"] != ["10ms"]:
            news = asyncio.get_running_loop().create_future()
            self.waiting[news] = index
            try:
                await news
            finally:
                del self.waiting[news]
        return self._response()

    def _response(self) -> Response:
        headers = (
            ((b"X-Consul-Index", b"%d" % self.index), (b"X-Consul-KnownLeader", b"true")) if self.has_index else ()
        )
        return Response(self.status, self.body, headers)

    async def publish(self, body: bytes) -> None:
        """Change the value, and answer the queries that wait."""
        self.index, self.body = self.index + 1, body
        for news in list(self.waiting):
            news.set_result(None)
        await turns()

    async def break_off(self, error: Exception) -> None:
        """End the queries that wait, and later ones, with an error."""
        self.error = error
        for news in list(self.waiting):
            news.set_exception(error)
        await turns()


async def turns() -> None:
    """Let everything that is ready run."""
    for _ in range(10):
        await one_turn()
