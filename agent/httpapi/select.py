"""What read endpoints have in common: `?filter`, `?node-meta` and `?near`."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar, cast

from pyconsul.agent.filter.compile import compile_filter
from pyconsul.agent.filter.error import FilterError
from pyconsul.agent.httpapi.errors import server_error
from pyconsul.agent.httpapi.request import Request

T = TypeVar("T")


def filtering(request: Request, kind: type[T]) -> Callable[[list[T]], list[T]]:
    """A function that keeps the rows which `?filter` selects; without one it keeps all."""
    text = request.params.get("filter")
    if not text:
        return _all
    try:
        matches = compile_filter(text, cast(Hashable, kind))
    except FilterError as error:
        raise server_error(str(error)) from None
    return lambda rows: [row for row in rows if matches(row)]


def _all(rows: list[T]) -> list[T]:
    return rows


def node_meta(request: Request) -> dict[str, str]:
    """The meta data that `?node-meta=key:value` asks for."""
    return {key: value for key, _, value in (text.partition(":") for text in request.multi("node-meta"))}
