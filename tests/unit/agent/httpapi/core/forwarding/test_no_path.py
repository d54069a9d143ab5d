"""Requests for a datacenter that nothing leads to: mistakes are reported first, and nothing of this datacenter is shown."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, NamedTuple

import pytest

from pyconsul.agent.httpapi.core.context import ForeignDatacenter
from pyconsul.agent.httpapi.core.forwarding import unreachable
from pyconsul.agent.httpapi.core.forwarding.no_path import NoPath
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import TRUE, HTTPError, Query, Response, bad_request
from pyconsul.agent.httpapi.core.router import Handler, Read, Route
from pyconsul.agent.reads.contract import Result


async def forward(handler: Handler, monkeypatch: pytest.MonkeyPatch, **options: Any) -> Any:
    def without_state(context: Any, error: HTTPError) -> Any:
        nothing = unreachable.Unreachable(error)
        return State(nothing, nothing)

    monkeypatch.setattr(unreachable, "without_state", without_state)
    context: Any = None
    route = Route("/v1/x", {"GET": Read(handler, "open")}, **options)
    handled = NoPath(context).forward("elsewhere", route, route.endpoints["GET"], Request("GET", b"/v1/x", {}))
    return await handled if isinstance(handled, Awaitable) else handled


class State(NamedTuple):
    view: Any
    commit: Any


async def test_a_mistake_is_reported_first(monkeypatch: pytest.MonkeyPatch) -> None:
    def handler(context: Any, request: Request) -> Response:
        raise bad_request("Missing key name")

    with pytest.raises(HTTPError, match="Missing key name"):
        await forward(handler, monkeypatch)


async def test_a_response_about_this_datacenter_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HTTPError, match="No path to datacenter"):
        await forward(lambda context, request: TRUE, monkeypatch)


async def test_a_route_that_is_the_same_everywhere_responds(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await forward(lambda context, request: TRUE, monkeypatch, anywhere=True) is TRUE


async def test_a_read_fails_when_it_touches_the_state(monkeypatch: pytest.MonkeyPatch) -> None:
    def handler(context: Any, request: Request) -> Query:
        return Query(lambda: Result([], context.view.index_of("kvs")))

    query = await forward(handler, monkeypatch)
    with pytest.raises(HTTPError, match="No path to datacenter"):
        query.read()


async def test_a_write_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    async def handler(context: Any, request: Request) -> Response:
        await context.commit(None)
        return TRUE

    with pytest.raises(HTTPError, match="No path to datacenter"):
        await forward(handler, monkeypatch)


async def test_a_body_that_names_another_datacenter_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def handler(context: Any, request: Request) -> Response:
        raise ForeignDatacenter("dc9")

    async def later(context: Any, request: Request) -> Response:
        raise ForeignDatacenter("dc9")

    for one in (handler, later):
        with pytest.raises(HTTPError, match="No path to datacenter"):
            await forward(one, monkeypatch)
