"""The log as a stream: it ends with the rights of its reader, also where servers resolve tokens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from support.eventually import one_turn
from support.http_api import Api

from pyconsul.agent.acl.authorizer import EVERYTHING, Authorizer, UnknownToken
from pyconsul.agent.acl.resolver import Resolver
from pyconsul.agent.httpapi.core.response import Response
from pyconsul.agent.httpapi.handlers.agent import monitor


class RemoteTokens:
    """The resolver of a client agent: it asks for each token again after a time, and a test revokes them."""

    def __init__(self) -> None:
        self.revoked, self.asked = False, 0
        self.until: float | None = 0.0

    def clock(self) -> float:
        return 10.0

    def expires(self, secret: str) -> float | None:
        return self.until

    async def _ask(self) -> None:
        self.asked += 1

    def unread(self, secret: str) -> Any:
        return self._ask()

    def of(self, secret: str) -> Authorizer:
        if self.revoked:
            raise UnknownToken
        return EVERYTHING


async def stream_of(tokens: RemoteTokens) -> AsyncIterator[bytes]:
    response = await Api(acl=cast(Resolver, tokens)).request("GET", "/v1/agent/monitor?loglevel=err", token="t")
    assert isinstance(response, Response)
    assert response.stream is not None
    return response.stream


async def test_a_token_that_is_revoked_at_the_servers_ends_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "MIN_WAIT_S", 0.0)
    tokens = RemoteTokens()
    stream = await stream_of(tokens)
    reading = asyncio.ensure_future(anext(stream, b"the end"))
    for _ in range(20):
        await one_turn()
    assert not reading.done()
    assert tokens.asked > 1
    tokens.revoked = True
    assert await reading == b"the end"


async def test_a_token_that_always_holds_is_not_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "MIN_WAIT_S", 0.0)
    tokens = RemoteTokens()
    tokens.until = None
    stream = await stream_of(tokens)
    reading = asyncio.ensure_future(anext(stream, b"the end"))
    for _ in range(20):
        await one_turn()
    asked = tokens.asked
    assert not reading.done()
    assert asked <= 1
    reading.cancel()
