"""`pyconsul operator usage instances`: how many services and instances there are.

The API: https://developer.hashicorp.com/consul/api-docs/operator/usage
"""

from __future__ import annotations

from typing import Any

from pyconsul.agent.common.options import switch
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, UsageError, during
from pyconsul.cli.help.command import Command
from pyconsul.cli.output.render import columns, document, format_flag


def instances(context: Context) -> None:
    """Print the counts, of one datacenter or of all."""
    args = context.args
    if args.rest:
        raise UsageError(f"Too many arguments (expected 0, got {len(args.rest)})")
    if args[_BILLABLE] and args[_CONNECT]:
        raise UsageError("Cannot specify both -billable and -connect flags")
    try:
        usage = context.client.get("/v1/operator/usage", {"global": ""} if args[_ALL_DATACENTERS] else {})["Usage"]
    except CliError as error:
        raise during("Error fetching usage information", error) from None
    if document(context, usage):
        return
    if not args[_CONNECT]:
        _billable(context, usage)
    _nodes(context, usage)
    if not args[_BILLABLE]:
        _connect(context, usage)


def _billable(context: Context, usage: dict[str, Any]) -> None:
    counts = {datacenter: usage[datacenter]["BillableServiceInstances"] for datacenter in sorted(usage)}
    context.out(f"Billable Service Instances Total: {sum(counts.values())}")
    for datacenter, count in counts.items():
        context.out(f"{datacenter} Billable Service Instances: {count}")
    context.out("\nBillable Services")
    rows = [[name, str(usage[name]["Services"]), str(count)] for name, count in counts.items()]
    services = sum(usage[name]["Services"] for name in counts)
    total = ["Total", str(services), str(sum(counts.values()))]
    _table(context, ["Datacenter", "Services", "Service instances"], rows, total)
    context.out("")


def _nodes(context: Context, usage: dict[str, Any]) -> None:
    context.out("Nodes")
    rows = [[name, str(usage[name]["Nodes"])] for name in sorted(usage)]
    total = ["Total", str(sum(usage[name]["Nodes"] for name in usage))]
    for line in columns([["Datacenter", "Count"], *rows, ["", ""], total], gap=6):
        context.out(line)
    context.out("")


def _connect(context: Context, usage: dict[str, Any]) -> None:
    context.out("Connect Services")
    rows = [
        [datacenter, kind, str(count)]
        for datacenter in sorted(usage)
        for kind, count in sorted((usage[datacenter].get("ConnectServiceInstances") or {}).items())
    ]
    total = ["Total", "", str(sum(int(row[2]) for row in rows))]
    _table(context, ["Datacenter", "Type", "Service instances"], rows, total)


def _table(context: Context, headers: list[str], rows: list[list[str]], total: list[str]) -> None:
    everywhere = context.args[_ALL_DATACENTERS]
    shown = [headers, *rows, *([["", "", ""], total] if everywhere else [])]
    for line in columns(shown if everywhere else [row[1:] for row in shown], gap=6):
        context.out(line)


_BILLABLE = switch("billable", "Only billable services.")
_CONNECT = switch("connect", "Only services of the mesh.")
_ALL_DATACENTERS = switch("all-datacenters", "Count in every datacenter.")
COMMANDS = {
    "operator usage instances": Command(
        instances,
        _BILLABLE,
        _CONNECT,
        _ALL_DATACENTERS,
        format_flag(),
    ),
}
