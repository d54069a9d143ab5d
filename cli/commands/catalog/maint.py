"""`pyconsul maint`: maintenance mode of the agent's node and services, or of another node's.

The API: https://developer.hashicorp.com/consul/api-docs/agent#enable-maintenance-mode
"""

from __future__ import annotations

from pyconsul.agent.common.http_answer import quote
from pyconsul.agent.common.options import Args, switch, text
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, UsageError, during
from pyconsul.cli.help.command import Command
from pyconsul.cli.output.render import confirm, document, format_flag

_NODE_CHECK, _SERVICE_CHECK = "_node_maintenance", "_service_maintenance:"


def maint(context: Context) -> None:
    """Switch maintenance mode, or list the nodes and services in it."""
    args = context.args
    enable, disable = args[_ENABLE], args[_DISABLE]
    if enable and disable:
        raise UsageError("Only one of -enable or -disable may be provided")
    if args[_REASON] and not enable:
        raise UsageError("Reason may only be provided with -enable")
    if args[_SERVICE] and not (enable or disable):
        raise UsageError("Service requires either -enable or -disable")
    if not enable and not disable:
        _list(context)
        return
    service = args[_SERVICE]
    path = f"/v1/agent/service/maintenance/{quote(service, slash=False)}" if service else "/v1/agent/maintenance"
    query = {**_at(args), "enable": "true" if enable else "false"}
    if args[_REASON]:
        query["reason"] = args[_REASON]
    try:
        context.client.put(path, query)
    except CliError as error:
        raise during(f"Error {'en' if enable else 'dis'}abling maintenance", error) from None
    what = f'Service maintenance is now {{}} for "{service}"' if service else "Node maintenance is now {}"
    data = {"Service": service or None, "Enabled": enable, "Reason": args[_REASON]}
    confirm(context, what.format("enabled" if enable else "disabled"), data)


def _at(args: Args) -> dict[str, str]:
    """Return the query that names the agent which is asked."""
    return {"node": args[_NODE]} if args[_NODE] else {}


def _list(context: Context) -> None:
    try:
        node = context.client.get("/v1/agent/self", _at(context.args))["Config"]["NodeName"]
        checks = context.client.get("/v1/agent/checks", _at(context.args))
    except CliError as error:
        raise during("Error querying Consul agent", error) from None
    listed = [checks[name] for name in sorted(checks) if name == _NODE_CHECK or name.startswith(_SERVICE_CHECK)]
    if document(context, listed):
        return
    for check_id, check in sorted(checks.items()):
        if check_id == _NODE_CHECK:
            lines = ("Node:", f"  Name:   {node}", f"  Reason: {check['Notes']}", "")
        elif check_id.startswith(_SERVICE_CHECK):
            lines = ("Service:", f"  ID:     {check['ServiceID']}", f"  Reason: {check['Notes']}", "")
        else:
            continue
        for line in lines:
            context.out(line)


_ENABLE = switch("enable", "Switch maintenance mode on.")
_DISABLE = switch("disable", "Switch maintenance mode off.")
_REASON = text("reason", "Reason for the maintenance, shown in the catalog.", metavar="text")
_NODE = text("node", "Node whose agent is asked; the default is the local one.", metavar="name")
_SERVICE = text("service", "ID of the service; the default is the whole node.", metavar="id")
COMMANDS = {
    "maint": Command(
        maint,
        _ENABLE,
        _DISABLE,
        _NODE,
        _REASON,
        _SERVICE,
        format_flag(),
        about="Without -enable and -disable it lists what is in maintenance mode.",
        lenient=True,
    ),
}
