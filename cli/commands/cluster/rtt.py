"""`pyconsul rtt`: the round trip time between two nodes, estimated from network coordinates.

The formula: https://developer.hashicorp.com/consul/docs/architecture/coordinates
"""

from __future__ import annotations

from typing import Any

from pyconsul.agent.common.options import switch
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, UsageError, during
from pyconsul.cli.exit_status import Status
from pyconsul.cli.help.command import Command
from pyconsul.cli.output.render import confirm, format_flag

Coordinate = dict[str, Any]


def rtt(context: Context) -> None:
    """Print the estimate. Raises CliError when a node has no coordinate."""
    nodes = list(context.args.rest)
    if len(nodes) not in (1, 2):
        raise UsageError("One or two node names must be specified")
    wan = context.args[_WAN]
    try:
        if len(nodes) == 1:
            config = context.client.get("/v1/agent/self")["Config"]
            nodes.append(f"{config['NodeName']}.{config['Datacenter']}" if wan else config["NodeName"])
        first, second = _wan(context, nodes) if wan else _lan(context, nodes)
    except _Missing:
        raise
    except CliError as error:
        raise during("Error getting coordinates", error) from None
    milliseconds = distance(first, second) * 1000
    kind = "WAN" if wan else "LAN"
    line = f"Estimated {nodes[0]} <-> {nodes[1]} rtt: {milliseconds:.3f} ms (using {kind} coordinates)"
    confirm(context, line, {"Nodes": nodes, "Milliseconds": milliseconds, "Coordinates": kind})


def _lan(context: Context, nodes: list[str]) -> list[Coordinate]:
    entries = context.client.get("/v1/coordinate/nodes")
    known = {(entry["Node"].lower(), entry.get("Segment", "")): entry["Coord"] for entry in entries}
    segments = {segment for name, segment in known if name == nodes[0].lower()}
    for segment in sorted(segments):
        if (nodes[1].lower(), segment) in known:
            return [known[(node.lower(), segment)] for node in nodes]
    raise _missing(nodes[1] if segments else nodes[0])


def _wan(context: Context, nodes: list[str]) -> list[Coordinate]:
    if any(node.count(".") != 1 for node in nodes):
        raise _Missing("Node names must be specified as <node name>.<datacenter> with -wan", Status.USAGE)
    known: dict[tuple[str, str], Coordinate] = {
        (entry["Node"].lower(), area["Datacenter"]): entry["Coord"]
        for area in context.client.get("/v1/coordinate/datacenters")
        for entry in area["Coordinates"] or ()
    }
    found = []
    for node in nodes:
        name, _, datacenter = node.partition(".")
        found.append(known.get((name.lower(), datacenter)))
    if None in found:
        raise _missing(nodes[0])  # whichever it is, as in Consul
    return [coordinate for coordinate in found if coordinate]


class _Missing(CliError):
    """A node without a coordinate, or a name that no node can have; its text is complete."""


def _missing(node: str) -> CliError:
    return _Missing(f'Could not find a coordinate for node "{node}"', Status.NOT_FOUND)


def distance(first: Coordinate, second: Coordinate) -> float:
    """Seconds between two coordinates: the way through space, both heights, and the adjustments if that leaves any."""
    squares = sum((a - b) ** 2 for a, b in zip(first["Vec"], second["Vec"], strict=True))
    plain: float = squares**0.5 + first["Height"] + second["Height"]
    adjusted: float = plain + first["Adjustment"] + second["Adjustment"]
    return adjusted if adjusted > 0 else plain


_WAN = switch("wan", "Use the coordinates between datacenters.")
COMMANDS = {
    "rtt": Command(rtt, _WAN, format_flag(), usage="NODE1 [NODE2]"),
}
