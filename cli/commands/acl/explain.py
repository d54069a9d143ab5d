"""`pyconsul acl explain`: why a token may or may not do something.

The API is the agent's own: GET /v1/acl/explain.
"""

from __future__ import annotations

from typing import Any

from pyconsul.agent.common.options import text
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, UsageError, during
from pyconsul.cli.exit_status import Status
from pyconsul.cli.help.command import Command
from pyconsul.cli.output.render import document, format_flag


def explain(context: Context) -> int:
    """Print the decision, the rule that made it, and what would allow it."""
    words = context.args.rest
    if not 1 <= len(words) <= 2:
        raise UsageError(f"Must specify PERMISSION and, where it is for a name, RESOURCE (got {len(words)} arguments)")
    params: dict[str, str | list[str]] = {"permission": words[0]}
    if len(words) > 1:
        params["resource"] = words[1]
    if accessor := context.args[_ACCESSOR_ID]:
        params["accessor"] = accessor
    try:
        found = context.client.get("/v1/acl/explain", params)
    except CliError as error:
        raise during("Error explaining the permission", error) from None
    if not document(context, found):
        for line in _lines(found):
            context.out(line)
    return Status.OK if found["Allowed"] else Status.NO_MATCH


def _lines(found: dict[str, Any]) -> list[str]:
    resource = f' on "{found["Resource"]}"' if found["Resource"] else ""
    lines = [f"{'Allowed' if found['Allowed'] else 'Denied'}: {found['Permission']}{resource}"]
    lines.append(f"Token:   {found['AccessorID']}")
    lines.append(
        f"Decided: {_place(found['Rule'])}" if found["Rule"] else f"Decided: default policy {found['DefaultPolicy']}"
    )
    lines += [f"Passed over: {_place(rule)}" for rule in found["OtherRules"]]
    if found["Obstacle"]:
        lines.append(f"In the way: {_place(found['Obstacle'])}: no other rule outweighs a deny")
    if found["Needed"]:
        lines.append(f"To allow it: {found['Needed']}")
    return lines


def _place(rule: dict[str, Any]) -> str:
    line = f", line {rule['Line']}" if rule["Line"] else ""
    return f"{rule['Rule']} (policy {rule['Policy']}{line})"


_ACCESSOR_ID = text(
    "accessor-id", "Explain the rights of this token instead of one's own; needs acl:read.", metavar="id"
)
COMMANDS = {
    "acl explain": Command(
        explain,
        _ACCESSOR_ID,
        format_flag("pretty"),
        usage="PERMISSION [RESOURCE]",
        about="PERMISSION is a resource and an access, as key:write; RESOURCE is the name it is for, as app/x. "
        "The exit code is 0 for what is allowed and 2 for what is denied.",
    ),
}
