"""Connections of the httpx client: one for each question that is open, closed when nobody needs them."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from support.scripted import json_answer, read_request

from pyconsul.tools.consul.long_poll_transport import LongPollTransport

LONG = 20.0


class Server:
    """Answers each request when it may; `open`: its connections that the client has not closed."""

    def __init__(self) -> None:
        self.connections = 0
        self.open = 0
        self.asked = 0
        self.may_answer = asyncio.Event()
        self.changed = asyncio.Condition()
        self.url = httpx.URL()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._note(connections=1, open=1)
        try:
            while True:
                await read_request(reader)
                await self._note(asked=1)
                await self.may_answer.wait()
                writer.write(json_answer())
        except (asyncio.IncompleteReadError, ConnectionError):
            await self._note(open=-1)
        finally:
            writer.close()

    async def _note(self, **changes: int) -> None:
        async with self.changed:
            for name, change in changes.items():
                setattr(self, name, getattr(self, name) + change)
            self.changed.notify_all()

    async def until(self, **values: int) -> None:
        async with asyncio.timeout(LONG), self.changed:
            await self.changed.wait_for(lambda: all(getattr(self, name) == value for name, value in values.items()))


@asynccontextmanager
async def served(kept: int | None = None, expiry: float = LONG) -> AsyncIterator[tuple[Server, httpx.AsyncClient]]:
    answers = Server()
    listener = await asyncio.start_server(answers, "127.0.0.1", 0)
    answers.url = httpx.URL(f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    lanes = LongPollTransport(
        lambda: httpx.AsyncHTTPTransport(verify=context, trust_env=False), kept=kept, expiry=expiry
    )
    async with httpx.AsyncClient(transport=lanes, trust_env=False, timeout=LONG) as client:
        yield answers, client
    listener.close()
    await answers.until(open=0)


async def test_one_after_the_other_shares_a_connection() -> None:
    async with served() as (server, client):
        server.may_answer.set()
        for _ in range(3):
            assert (await client.get(server.url)).json() == 1
        assert (server.connections, server.open) == (1, 1)


@pytest.mark.parametrize(("kept", "left"), [(None, 3), (2, 2), (0, 0)])
async def test_some_idle_ones_are_kept(kept: int | None, left: int) -> None:
    async with served(kept) as (server, client):
        questions = [asyncio.create_task(client.get(server.url)) for _ in range(3)]
        await server.until(asked=3, open=3)
        server.may_answer.set()
        await asyncio.gather(*questions)
        await server.until(open=left)


async def test_idle_ones_are_closed_in_time() -> None:
    async with served(expiry=0.01) as (server, client):
        server.may_answer.set()
        await client.get(server.url)
        await server.until(open=0)
        await client.get(server.url)
        assert server.connections == 2


async def test_a_question_that_is_given_up_ends_its_connection() -> None:
    async with served() as (server, client):
        question = asyncio.create_task(client.get(server.url))
        await server.until(asked=1)
        question.cancel()
        await asyncio.gather(question, return_exceptions=True)
        server.may_answer.set()  # too late
        await server.until(open=0)
        await client.get(server.url)
        assert (server.connections, server.open) == (2, 1)


async def test_closing_the_client_ends_waiting_requests() -> None:
    async with served() as (server, client):
        stream = asyncio.create_task(client.get(server.url))
        await server.until(asked=1)
        await client.aclose()
        server.may_answer.set()
        await server.until(open=0)
        with pytest.raises(httpx.HTTPError):
            await stream
