"""`pyconsul keyring`: the keys that gossip is encrypted with.

The API: https://developer.hashicorp.com/consul/api-docs/operator/keyring
"""

from __future__ import annotations

from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, UsageError, during
from pyconsul.cli.flags.flag import number, switch, text
from pyconsul.cli.help.command import Command
from pyconsul.cli.http.client import to_json
from pyconsul.cli.output.render import check_format, document, format_flag

_ACTIONS = {
    "install": ("POST", "Installing new gossip encryption key..."),
    "use": ("PUT", "Changing primary gossip encryption key..."),
    "remove": ("DELETE", "Removing gossip encryption key..."),
}


def keyring(context: Context) -> None:
    """Do the one action that is asked for. Raises CliError; an agent without gossip encryption says so."""
    args = context.args
    listed = [name for name in ("list", "list-primary") if args.switch(name)]
    wanted = listed + [name for name in _ACTIONS if args.text(name)]
    if len(wanted) > 1:
        raise UsageError("Only a single action is allowed")
    if not wanted:
        raise UsageError("An action must be specified: -install, -list, -list-primary, -remove or -use")
    if not 0 <= args.number("relay-factor") <= 5:
        raise UsageError("Error parsing relay factor: use a number from 0 to 5")
    query = {"relay-factor": str(args.number("relay-factor"))} if args.number("relay-factor") else {}
    if args.switch("local-only"):
        query["local-only"] = "true"
    try:
        if listed:
            _list(context, query, primary=listed == ["list-primary"])
        else:
            method, line = _ACTIONS[wanted[0]]
            if check_format(context) == "table":
                context.out(f"==> {line}")
            body = to_json({"Key": args.text(wanted[0])})
            context.client.request(method, "/v1/operator/keyring", query, body).checked()
            document(context, {"Action": wanted[0], "Done": True})
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


COMMANDS = {
    "keyring": Command(
        keyring,
        text("install", "Install a new key on every member.", metavar="key"),
        switch("list", "List the keys in use."),
        switch("list-primary", "List the primary keys in use."),
        text("remove", "Remove a key that is not the primary one.", metavar="key"),
        text("use", "Make an installed key the primary one.", metavar="key"),
        number("relay-factor", "Through how many other nodes answers are relayed, up to 5."),
        switch("local-only", "With -list: ask only this agent."),
        format_flag(),
    ),
}
