"""`pyconsul services register`, `deregister` and `list`, at the local agent.

The API: https://developer.hashicorp.com/consul/api-docs/agent/service#register-service
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pyconsul.agent.common.http_answer import quote
from pyconsul.agent.common.options import Args, number, pairs, text, texts
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, UsageError, during
from pyconsul.cli.help.command import Command
from pyconsul.cli.output.render import FORMAT, Report, document, format_flag, table
from pyconsul.cli.service_file import services_in

_FILES = "FILES are Consul's configuration files, in HCL or JSON, with `service` or `services` in them."


def register(context: Context) -> None:
    """Register one service from flags, or all that the files define."""
    args = context.args
    if not args.rest and not args[_NAME]:
        raise UsageError("Service registration requires at least one argument or flags.")
    if args[_NAME] and args.rest:
        raise UsageError("Service registration requires arguments or -name, not both.")
    given = _from_flags(args)
    files = [_combined(service, given) for path in args.rest for service in services_in(path)]
    with Report(context) as report:
        for service in files if args.rest else [given]:
            try:
                context.client.put("/v1/agent/service/register", body=service)
            except CliError as error:
                raise during(f'Error registering service "{service.get("Name", "")}"', error) from None
            name = service.get("Name", "")
            report.add(
                f"Registered service: {name}", {"ID": service.get("ID") or name, "Name": name, "Registered": True}
            )


def _from_flags(args: Args) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "ID": args[_ID],
        "Name": args[_NAME],
        "Kind": args[_KIND],
        "Address": args[_ADDRESS],
        "Port": args[_PORT],
        "SocketPath": args[_SOCKET],
        "Tags": args[_TAG],
        "Meta": args[_META],
        "TaggedAddresses": {name: _address(value) for name, value in args[_TAGGED_ADDRESS].items()},
    }
    return {name: value for name, value in fields.items() if value}


def _address(value: str) -> dict[str, Any]:
    host, colon, port = value.rpartition(":")
    if not colon or not port.isdecimal():
        raise UsageError(f"Invalid Tagged Address {value!r}: use host:port")
    return {"Address": host.strip("[]"), "Port": int(port)}


def _combined(service: dict[str, Any], flags: dict[str, Any]) -> dict[str, Any]:
    """Return a file's service with the values of flags; the file wins, tags and maps are merged."""
    result = {**flags, **service}
    if "Tags" in flags:
        result["Tags"] = [*(service.get("Tags") or ()), *flags["Tags"]]
    for name in ("Meta", "TaggedAddresses"):
        if name in flags:
            result[name] = {**(service.get(name) or {}), **flags[name]}
    return result


def deregister(context: Context) -> None:
    """Deregister a service by ID, or all that the files define."""
    args = context.args
    if not args.rest and not args[_ID]:
        raise UsageError("Service deregistration requires at least one argument or -id.")
    if args[_ID] and args.rest:
        raise UsageError("Service deregistration requires arguments or -id, not both.")
    found = [service.get("ID") or service.get("Name", "") for path in args.rest for service in services_in(path)]
    query = {"node": args[_NODE]} if args[_NODE] else {}
    with Report(context) as report:
        for identity in found if args.rest else [args[_ID]]:
            try:
                context.client.put("/v1/agent/service/deregister/" + quote(identity, slash=False), query)
            except CliError as error:
                raise during(f'Error deregistering service "{identity}"', error) from None
            report.add(f"Deregistered service: {identity}", {"ID": identity, "Deregistered": True})


def list_(context: Context) -> None:
    """Print a table of the services that are registered at this agent."""
    if context.args.rest:
        raise UsageError(f"Too many arguments (expected 0, got {len(context.args.rest)})")
    query = {"filter": context.args[_FILTER]} if context.args[_FILTER] else {}
    try:
        found = context.client.get("/v1/agent/services", query)
        checks = {} if context.args[FORMAT] in ("json", "yaml") else context.client.get("/v1/agent/checks")
    except CliError as error:
        raise during("Error listing services", error) from None
    if document(context, found):
        return
    rows = sorted(
        [one["Service"], identity, _where(one), _status(identity, checks.values()), ",".join(one["Tags"] or ())]
        for identity, one in found.items()
    )
    table(context, ["Service", "ID", "Address", "Status", "Tags"], rows)


def _status(identity: str, checks: Iterable[dict[str, Any]]) -> str:
    """Return the worst status of a service's checks and of those of the node, as health queries see it."""
    states = {check["Status"] for check in checks if check.get("ServiceID") in ("", identity)}
    return next((state for state in ("critical", "warning") if state in states), "passing")


def _where(service: dict[str, Any]) -> str:
    host = service.get("Address") or ""
    if not service.get("Port"):
        return host or service.get("SocketPath") or "-"
    return f"[{host}]:{service['Port']}" if ":" in host else f"{host}:{service['Port']}"


_FILTER = text("filter", "Filter expression for the services.", metavar="expression")
_ID = text("id", "ID of the service; by default its name.")
_NODE = text("node", "Node whose agent is asked; the default is the local one.", metavar="name")
_NAME = text("name", "Name of the service.", metavar="name")
_ADDRESS = text("address", "Address of the service; the default is the address of the node.")
_PORT = number("port", "Port of the service.")
_SOCKET = text("socket", "Path of the unix socket of the service, instead of an address and a port.", metavar="path")
_TAG = texts("tag", "Tag of the service; may be repeated.")
_META = pairs("meta", "Metadata; may be repeated.")
_TAGGED_ADDRESS = pairs("tagged-address", "Another address, as lan=10.0.0.1:80; may be repeated.")
_KIND = text("kind", "Kind of the service.")
_SERVICE_ID = text("id", "ID of the service.")
COMMANDS = {
    "services list": Command(
        list_,
        _FILTER,
        format_flag(),
        about="The catalog's services, of all nodes, are listed by pyconsul catalog services.",
    ),
    "services register": Command(
        register,
        _ID,
        _NAME,
        _ADDRESS,
        _PORT,
        _SOCKET,
        _TAG,
        _META,
        _TAGGED_ADDRESS,
        _KIND,
        format_flag(),
        usage="[FILES...]",
        about=_FILES,
    ),
    "services deregister": Command(deregister, _SERVICE_ID, _NODE, format_flag(), usage="[FILES...]", about=_FILES),
}
