"""Options of read endpoints: `?filter`, `?node-meta`, and `?near`, which orders rows by the estimated round trip from a node.

Source: https://developer.hashicorp.com/consul/docs/architecture/coordinates
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TypeVar, cast

from pyconsul.agent.filter.compile import compile_filter
from pyconsul.agent.filter.error import FilterError
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import bad_request, server_error
from pyconsul.agent.reads.contract import Select, all_rows

T = TypeVar("T")
MAX_COMPARISONS = 2_000_000  # conditions times rows of one request: others wait for 0.1 µs each


def filtering(request: Request, kind: type[T]) -> Select[T]:
    """Return a function that keeps the rows which `?filter` selects; without one it keeps all."""
    text = request.params.get("filter")
    if not text:
        return all_rows
    try:
        matches = compile_filter(text, cast(Hashable, kind))
    except FilterError as error:
        raise server_error(str(error)) from None
    conditions = 1 + text.count("and") + text.count("or")  # or fewer: the words may be part of a value

    def select(rows: list[T]) -> list[T]:
        if len(rows) * conditions > MAX_COMPARISONS:
            raise bad_request(
                f"the filter has {conditions} conditions, too many for {len(rows)} rows: "
                f"at most {MAX_COMPARISONS} comparisons are made for one request"
            )
        return [row for row in rows if matches(row)]

    return select


def node_meta(request: Request) -> dict[str, str]:
    """Return the meta data that `?node-meta=key:value` asks for."""
    return {key: value for key, _, value in (text.partition(":") for text in request.multi("node-meta"))}


def near_node(context: Context, request: Request) -> str:
    """Return the node that `?near` names; `_agent` is this agent's; "" for none."""
    near = request.params.get("near", "") if request.query else ""
    return context.agent_of(request) if near == "_agent" else near
