"""`pyconsul catalog`: datacenters, nodes and services.

The API: https://developer.hashicorp.com/consul/api-docs/catalog
"""

from __future__ import annotations

from typing import Any

from pyconsul.agent.common.http_answer import quote
from pyconsul.agent.common.options import pairs, switch, text
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, UsageError, during
from pyconsul.cli.help.command import Command
from pyconsul.cli.output.render import columns, document, format_flag, table


def datacenters(context: Context) -> None:
    """Print the names."""
    _no_arguments(context)
    names = _get(context, "/v1/catalog/datacenters", {}, "listing datacenters")
    if not document(context, names):
        for name in names:
            context.out(name)


def nodes(context: Context) -> None:
    """Print a table of nodes, or of the nodes that have a service."""
    _no_arguments(context)
    args = context.args
    query = {"near": args[_NEAR], "filter": args[_FILTER], "node-meta": _meta(context)}
    service = args[_SERVICE]
    path = f"/v1/catalog/service/{quote(service, slash=False)}" if service else "/v1/catalog/nodes"
    found = _get(context, path, {name: value for name, value in query.items() if value}, "listing nodes")
    if document(context, found):
        return
    if not found:
        context.note("No nodes match the given query - try expanding your search.")
        return
    headers = ["Node", "ID", "Address", "DC"]
    detailed = args[_DETAILED]
    rows = [_node_row(node, "NodeMeta" if service else "Meta", detailed=detailed) for node in found]
    table(context, headers + (["TaggedAddresses", "Meta"] if detailed else []), rows)


def _node_row(node: dict[str, Any], meta: str, *, detailed: bool) -> list[str]:
    identity = node.get("ID") or ""
    row = [node["Node"], identity if detailed else identity.partition("-")[0], node["Address"], node["Datacenter"]]
    return [*row, _joined(node.get("TaggedAddresses")), _joined(node.get(meta))] if detailed else row


def _joined(mapping: dict[str, str] | None) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted((mapping or {}).items()))


def services(context: Context) -> None:
    """Print the names of services, with -tags their tags as well."""
    _no_arguments(context)
    args = context.args
    found: dict[str, set[str]] = {}
    if args[_NODE]:
        path = f"/v1/catalog/node/{quote(args[_NODE], slash=False)}"
        answer = _get(context, path, {"node-meta": _meta(context)}, "listing services")
        for service in ((answer or {}).get("Services") or {}).values():
            found.setdefault(service["Service"], set()).update(service.get("Tags") or ())
    else:
        answer = _get(context, "/v1/catalog/services", {"node-meta": _meta(context)}, "listing services")
        found = {name: set(tags) for name, tags in answer.items()}
    listed = {name: sorted(found[name]) for name in sorted(found)}
    if document(context, listed):
        return
    if not listed:
        context.note("No services match the given query - try expanding your search.")
    elif context.tty:
        table(context, ["Service", "Tags"], [[name, ",".join(tags)] for name, tags in listed.items()])
    else:
        tags = args[_TAGS]
        rows = [[name, ",".join(listed[name])] if tags else [name] for name in listed]
        for line in columns(rows, gap=6):
            context.out(line)


def _get(context: Context, path: str, query: dict[str, Any], doing: str) -> Any:
    try:
        answer = context.client.get(path, query)
    except CliError as error:
        raise during(f"Error {doing}", error) from None
    if isinstance(answer, str | int | float):
        raise TypeError("neither a list nor an object")
    return answer


def _meta(context: Context) -> list[str]:
    return [f"{key}:{value}" for key, value in context.args[_NODE_META].items()]


def _no_arguments(context: Context) -> None:
    if context.args.rest:
        raise UsageError(f"Too many arguments (expected 0, got {len(context.args.rest)})")


_NODE_META = pairs("node-meta", "Only nodes with this metadata; may be repeated.")
_DETAILED = switch("detailed", "Print whole IDs, tagged addresses and metadata.")
_NEAR = text("near", "Sort by the round trip time to this node; _agent is the queried agent.", metavar="node")
_SERVICE = text("service", "Only nodes that have this service.", metavar="name")
_FILTER = text("filter", "Filter expression for the nodes.", metavar="expression")
_NODE = text("node", "Only the services of this node.", metavar="name")
_TAGS = switch("tags", "Also print the tags of the services.")
COMMANDS = {
    "catalog datacenters": Command(datacenters, format_flag()),
    "catalog nodes": Command(
        nodes,
        _DETAILED,
        _NEAR,
        _NODE_META,
        _SERVICE,
        _FILTER,
        format_flag(),
    ),
    "catalog services": Command(
        services,
        _NODE,
        _NODE_META,
        _TAGS,
        format_flag(),
    ),
}
