"""/v1/coordinate: https://developer.hashicorp.com/consul/api-docs/coordinate"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from pyconsul.agent.httpapi.codec.decoding import decode
from pyconsul.agent.httpapi.core.authorization import authorized
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import EMPTY, Query, Response, json_response, server_error
from pyconsul.agent.httpapi.core.router import Read, Route, Write
from pyconsul.agent.httpapi.core.validation import refuse_control_characters
from pyconsul.agent.model.coordinate import DIMENSIONS, ORIGIN, Coordinate, NodeCoordinate, is_valid
from pyconsul.agent.model.wire import camel
from pyconsul.agent.reads import coordinates as reads
from pyconsul.agent.state.catalog import coordinates


class CoordinateInput(msgspec.Struct, kw_only=True, rename=camel):
    """A point of an update."""

    go_name: ClassVar[str] = "coordinate.Coordinate"
    vec: list[float] | None = None
    error: float = 0.0
    adjustment: float = 0.0
    height: float = 0.0


class UpdateInput(msgspec.Struct, kw_only=True, rename=camel):
    """The body of an update; the datacenter is this one, and the token comes with the request."""

    go_name: ClassVar[str] = "structs.CoordinateUpdateRequest"
    aliases: ClassVar[dict[str, str | None]] = {"WriteRequest": None, "Token": None}
    datacenter: str = ""
    node: str = ""
    segment: str = ""
    coord: CoordinateInput | None = None
    partition: str = ""


def list_datacenters(context: Context, request: Request) -> Response:
    """Return the coordinates of the servers of each datacenter: this one server at the origin."""
    here = NodeCoordinate(context.config.node_name, "", ORIGIN)
    return json_response([{"Datacenter": context.config.datacenter, "AreaID": "wan", "Coordinates": [here]}])


def list_nodes(context: Context, request: Request) -> Query:
    """Return the coordinates of the nodes."""
    return Query(lambda: reads.nodes(context.view, request.caller, request.params.get("segment")))


def list_node(context: Context, request: Request) -> Query:
    """Return the coordinates of one node, by segment."""
    return Query(lambda: reads.node(context.view, request.caller, request.tail, request.params.get("segment")))


async def update(context: Context, request: Request) -> Response:
    """Store the coordinate of a node; that of an unregistered node is dropped."""
    given = decode(request.body, UpdateInput)
    refuse_control_characters(context, given)
    context.require_here(given.datacenter)
    point = given.coord
    if point is None:
        raise server_error("invalid coordinate")
    coordinate = Coordinate(point.vec or [], point.error, point.adjustment, point.height)
    if not is_valid(coordinate):
        raise server_error("invalid coordinate")
    if len(coordinate.vec) != DIMENSIONS:
        raise server_error("incompatible coordinate")
    row = NodeCoordinate(given.node, given.segment, coordinate)
    write = authorized(request, "node:write", lambda txn: coordinates.set_coordinate(txn, row), given.node)
    await context.commit(write)
    return EMPTY


ROUTES = (
    Route("/v1/coordinate/datacenters", {"GET": Read(list_datacenters, "open")}, ignores_dc=True, stateless=True),
    Route("/v1/coordinate/nodes", {"GET": Read(list_nodes, "filter node")}, meta_on_error=True),
    Route("/v1/coordinate/node/", {"GET": Read(list_node, "handler node:read")}, meta_on_error=True),
    Route("/v1/coordinate/update", {"PUT": Write(update, "handler node:write")}),
)
