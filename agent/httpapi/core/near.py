"""`?near=node`: rows by the estimated round trip from a node (https://developer.hashicorp.com/consul/docs/architecture/coordinates)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.state.catalog import coordinates

T = TypeVar("T")


def near_node(context: Context, request: Request) -> str:
    """The node that `?near` names; `_agent` is this agent's; "" for none."""
    near = request.params.get("near", "") if request.query else ""
    return context.config.node_name if near == "_agent" else near


class Order(Generic[T]):
    """Puts rows in the order of `?near`; without it they stay as they are.

    `keeps`: the answer depends on no coordinates, so that it may be kept until its topics change.
    """

    __slots__ = ("_near", "_node_of", "_view", "keeps")

    def __init__(self, context: Context, request: Request, node_of: Callable[[T], str]) -> None:
        self._view, self._node_of = context.view, node_of
        self._near = near_node(context, request)
        self.keeps = not self._near

    def __call__(self, rows: list[T]) -> list[T]:
        return rows if self.keeps else coordinates.by_distance(self._view, self._near, rows, self._node_of)
