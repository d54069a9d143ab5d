"""Reads of network coordinates."""

from __future__ import annotations

from pyconsul.agent.acl.authorizer import Authorizer
from pyconsul.agent.acl.rules import READ
from pyconsul.agent.model.coordinate import NodeCoordinate
from pyconsul.agent.reads.contract import Result
from pyconsul.agent.reads.visibility import visible
from pyconsul.agent.state.catalog import coordinates
from pyconsul.agent.state.contract import View


def nodes(view: View, caller: Authorizer, segment: str | None = None) -> Result:
    """Read the coordinates of the nodes, of one segment or of all."""
    rows = _of_segment(coordinates.all_coordinates(view), segment)
    rows, filtered = visible(caller, rows, lambda row: caller.level("node", row.node) >= READ)
    return Result(rows, view.index_of(coordinates.TOPIC), (coordinates.TOPIC,), filtered=filtered)


def node(view: View, caller: Authorizer, name: str, segment: str | None = None) -> Result:
    """Read the coordinates of one node, one for each segment.  Raises PermissionDenied."""
    caller.require("node", READ, name)
    rows = _of_segment(coordinates.of_node(view, name), segment)
    index = view.index_of(coordinates.TOPIC)
    return Result(rows or b"", index, (coordinates.TOPIC,), found=bool(rows))


def _of_segment(rows: list[NodeCoordinate], segment: str | None) -> list[NodeCoordinate]:
    return [row for row in rows if segment is None or row.segment == segment]
