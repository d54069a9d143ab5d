"""`pyconsul keyring`: the keys that gossip is encrypted with.

The API: https://developer.hashicorp.com/consul/api-docs/operator/keyring
"""

from __future__ import annotations

from pyconsul.agent.common.options import number, switch, text
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, UsageError, during
from pyconsul.cli.exit_status import Status
from pyconsul.cli.help.command import Command
from pyconsul.cli.http.client import to_json
from pyconsul.cli.output.render import check_format, document, format_flag


def keyring(context: Context) -> None:
    """Do the one action that is asked for. Raises CliError; an agent without gossip encryption says so."""
    args = context.args
    listed = [option for option in (_LIST, _LIST_PRIMARY) if args[option]]
    changed = [option for option in _ACTIONS if args[option]]
    if len(listed) + len(changed) > 1:
        raise UsageError("Only a single action is allowed")
    if not listed and not changed:
        raise UsageError("An action must be specified: -install, -list, -list-primary, -remove or -use")
    if not 0 <= args[_RELAY_FACTOR] <= 5:
        raise CliError("Error parsing relay factor: Relay factor must be in range: [0, 5]", Status.USAGE)
    if args[_LOCAL_ONLY] and not listed:
        raise CliError("Error validating local-only: local-only can only be set for list requests", Status.USAGE)
    query = {"relay-factor": str(args[_RELAY_FACTOR])} if args[_RELAY_FACTOR] else {}
    if args[_LOCAL_ONLY]:
        query["local-only"] = "true"
    try:
        if listed:
            _list(context, query, primary=listed == [_LIST_PRIMARY])
        else:
            method, line = _ACTIONS[changed[0]]
            if check_format(context) == "table":
                context.out(f"==> {line}")
            body = to_json({"Key": args[changed[0]]})
            context.client.request(method, "/v1/operator/keyring", query, body).checked()
            document(context, {"Action": changed[0].name, "Done": True})
    except CliError as error:
        raise during("error", error) from None


def _list(context: Context, query: dict[str, str], *, primary: bool) -> None:
    if check_format(context) == "table":
        context.out(f"==> Gathering installed {'primary ' if primary else ''}encryption keys...")
    pools = context.client.get("/v1/operator/keyring", query)
    if document(context, pools):
        return
    for pool in pools:
        segment = f" [{pool['Segment']}]" if pool.get("Segment") else ""
        context.out("")
        context.out("WAN:" if pool["WAN"] else f"{pool['Datacenter']} (LAN){segment}:")
        for key, count in (pool.get("PrimaryKeys" if primary else "Keys") or {}).items():
            context.out(f"  {key} [{count}/{pool['NumNodes']}]")


_INSTALL = text("install", "Install a new key on every member.", metavar="key")
_LIST = switch("list", "List the keys in use.")
_LIST_PRIMARY = switch("list-primary", "List the primary keys in use.")
_REMOVE = text("remove", "Remove a key that is not the primary one.", metavar="key")
_USE = text("use", "Make an installed key the primary one.", metavar="key")
_ACTIONS = {
    _INSTALL: ("POST", "Installing new gossip encryption key..."),
    _USE: ("PUT", "Changing primary gossip encryption key..."),
    _REMOVE: ("DELETE", "Removing gossip encryption key..."),
}
_RELAY_FACTOR = number("relay-factor", "Number of nodes that relay responses, up to 5.")
_LOCAL_ONLY = switch("local-only", "With -list: leave out the servers of other datacenters.")
COMMANDS = {
    "keyring": Command(
        keyring,
        _INSTALL,
        _LIST,
        _LIST_PRIMARY,
        _REMOVE,
        _USE,
        _RELAY_FACTOR,
        _LOCAL_ONLY,
        format_flag(),
    ),
}
