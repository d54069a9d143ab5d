"""`pyconsul operator recover`: goes on with the best copy of the state after most servers of a cluster were lost for good."""

from __future__ import annotations

import time
from typing import Any

from pyconsul.agent.common.options import switch, text
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, during
from pyconsul.cli.help.command import Command
from pyconsul.cli.output.render import document, format_flag, table

_PATH = "/v1/pyconsul/recovery"
_TIMEOUT_S = 120.0  # each server starts etcd on a copy of its data
_HEADERS = ("Node", "ID", "Last Index", "Last Write", "Problem")


def recover(context: Context) -> None:
    """Show what each server still has, ask once, and go on with the best."""
    try:
        found: list[dict[str, Any]] = context.client.request("GET", _PATH, timeout=_TIMEOUT_S).checked().json()
    except CliError as error:
        raise during("Error looking for survivors", error) from None
    if not document(context, found):
        table(context, _HEADERS, [_row(server) for server in found])
    usable = [server for server in found if not server["Error"]]
    if not usable:
        raise CliError("no server has data to go on with: restore a snapshot in a new cluster")
    best = max(usable, key=lambda server: (server["LastIndex"], server["LastTime"]))
    if context.args[_ID]:
        best = next((server for server in usable if server["NodeID"] == context.args[_ID]), {})
        if not best:
            raise CliError(f"no server with the ID {context.args[_ID]} has data to go on with")
    if not context.args[_YES]:
        _ask(context, best, [server["Name"] for server in found if server["Error"]])
    try:
        context.client.request("PUT", _PATH, {"id": best["NodeID"]}, timeout=_TIMEOUT_S).checked()
    except CliError as error:
        raise during("Error recovering the cluster", error) from None
    context.out(f"{best['Name']} goes on alone from index {best['LastIndex']}; the other servers are added again")


def _row(server: dict[str, Any]) -> list[str]:
    if server["Error"]:
        return [server["Name"], server["NodeID"], "-", "-", server["Error"]]
    written = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(server["LastTime"])) if server["LastTime"] else "-"
    return [server["Name"], server["NodeID"], str(server["LastIndex"]), written, ""]


def _ask(context: Context, best: dict[str, Any], missing: list[str]) -> None:
    """Raises CliError unless the user agrees."""
    context.out("")
    if missing:
        context.out(
            "Servers with a problem are left out. If their disks are intact, start them instead: nothing is lost then."
        )
    context.out(f"The cluster would go on with the data of {best['Name']}, at index {best['LastIndex']}.")
    context.out("Writes after that index are lost. The last writes before the failure may be missing, too,")
    context.out("even if they were acknowledged. Data that are replaced are kept beside the new ones.")
    context.out("Type yes to go on: ")
    if context.stdin.readline().strip() != b"yes":
        raise CliError("nothing was changed")


_ID = text("id", "Node ID of the server to go on with; the default is the one with the highest index.", metavar="id")
_YES = switch("yes", "Do not ask.")
COMMANDS = {"operator recover": Command(recover, _ID, _YES, format_flag())}
