"""`pyconsul acl token`: create, clone, read, list and delete; `update` is in `token_update`.

The API: https://developer.hashicorp.com/consul/api-docs/acl/tokens
"""

from __future__ import annotations

from typing import Any

from pyconsul.agent.common.options import seconds, switch, text
from pyconsul.cli.acl.objects import GRANT_FLAGS, ROLE_FLAGS, full_id, granted, links
from pyconsul.cli.acl.text import policy_lines, role_lines, token_lines
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, UsageError, during
from pyconsul.cli.help.command import Command
from pyconsul.cli.output.render import confirm, document, format_flag

Token = dict[str, Any]


def show(context: Context, token: Token) -> None:
    """Print a token as `-format` and `-meta` want it."""
    if not document(context, token):
        context.out("\n".join(token_lines(token, meta=context.args[META])) + "\n")


def accessor(context: Context) -> str:
    """Return the AccessorID that the flags mean. Raises UsageError without one."""
    given = context.args[_ACCESSOR_ID] or context.args[_OLD_ID]
    if not given:
        raise UsageError("Must specify the token with -accessor-id")
    return full_id(context.client, "token", given)


def create(context: Context) -> None:
    """Create a token and print it."""
    args = context.args
    token: Token = {"Description": args[_DESCRIPTION], "Local": args[_LOCAL], **granted(context)}
    if roles := links(context, "role"):
        token["Roles"] = roles
    if len(token) == 2:
        raise UsageError(
            "Cannot create a token without specifying -policy-name, -policy-id, -role-name, -role-id, "
            "-service-identity, -node-identity, or -templated-policy at least once"
        )
    for field, option in (("AccessorID", _ACCESSOR), ("SecretID", _SECRET)):
        if args[option]:
            token[field] = args[option]
    if args.given(_EXPIRES_TTL):
        from pyconsul.agent.common.go.durations import format_go_duration_ns

        token["ExpirationTTL"] = format_go_duration_ns(round(args[_EXPIRES_TTL] * 1e9))
    try:
        created = context.client.put("/v1/acl/token", body=token)
    except CliError as error:
        raise during("Failed to create new token", error) from None
    show(context, created)


def clone(context: Context) -> None:
    """Create a token with the permissions of another."""
    body = {"Description": context.args[_DESCRIPTION]} if context.args.given(_DESCRIPTION) else {}
    try:
        cloned = context.client.put(f"/v1/acl/token/{accessor(context)}/clone", body=body)
    except CliError as error:
        raise during("Error cloning token", error) from None
    show(context, cloned)


def read(context: Context) -> None:
    """Print a token, or the one that is used for this call."""
    args = context.args
    if args[_SELF]:
        if args[_EXPANDED]:
            raise UsageError("Cannot use both -expanded and -self")
        path = "/v1/acl/token/self"
    else:
        path = f"/v1/acl/token/{accessor(context)}"
    try:
        token = context.client.get(path, {"expanded": "true"} if args[_EXPANDED] else {})
    except CliError as error:
        raise during("Error reading token", error) from None
    show(context, token)
    if args[_EXPANDED] and args[FORMAT] in ("pretty", "table"):
        _show_expanded(context, token)


def _show_expanded(context: Context, token: Token) -> None:
    for role in token.get("ExpandedRoles") or ():
        context.out("\n".join(["Role:", *role_lines(role), ""]))
    for policy in token.get("ExpandedPolicies") or ():
        context.out("\n".join(["Policy:", *policy_lines(policy), ""]))
    context.out(f"Default policy: {token.get('AgentACLDefaultPolicy', '')}")
    context.out(f"Down policy:    {token.get('AgentACLDownPolicy', '')}")


def list_(context: Context) -> None:
    """Print every token."""
    try:
        tokens = context.client.get("/v1/acl/tokens")
    except CliError as error:
        raise during("Failed to retrieve the token list", error) from None
    if document(context, tokens):
        return
    for token in tokens:
        context.out("\n".join(token_lines(token, meta=context.args[META])) + "\n")


def delete(context: Context) -> None:
    """Delete a token. One that does not exist is an error."""
    identity = accessor(context)
    try:
        context.client.delete(f"/v1/acl/token/{identity}")
    except CliError as error:
        raise during(f'Error deleting token "{identity}"', error) from None
    confirm(context, f'Token "{identity}" deleted successfully', {"AccessorID": identity, "Deleted": True})


_ACCESSOR_ID = text("accessor-id", "AccessorID of the token, or a unique prefix of it.", metavar="id")
_OLD_ID = text("id", "The old name of -accessor-id.", hidden=True)
ACCESSOR = (_ACCESSOR_ID, _OLD_ID)
META = switch("meta", "Also print the content hash and the indexes.")
FORMAT = format_flag("pretty")
_DESCRIPTION = text("description", "Description of the token.", metavar="text")
_ACCESSOR = text("accessor", "AccessorID of the new token, a UUID.", metavar="uuid")
_SECRET = text("secret", "SecretID of the new token, a UUID.", metavar="uuid")
_LOCAL = switch("local", "Create a token for this datacenter only.")
_CLONE_DESCRIPTION = text("description", "Description of the new token.", metavar="text")
_EXPIRES_TTL = seconds("expires-ttl", "Lifetime of the token, from 1m to 24h.")
_SELF = switch("self", "Read the token of this request.")
_EXPANDED = switch("expanded", "Also print the roles and policies that apply.")
COMMANDS = {
    "acl token create": Command(
        create,
        _DESCRIPTION,
        _ACCESSOR,
        _SECRET,
        _LOCAL,
        _EXPIRES_TTL,
        *GRANT_FLAGS,
        *ROLE_FLAGS,
        META,
        FORMAT,
    ),
    "acl token clone": Command(clone, *ACCESSOR, _CLONE_DESCRIPTION, META, FORMAT),
    "acl token read": Command(
        read,
        *ACCESSOR,
        _SELF,
        _EXPANDED,
        META,
        FORMAT,
    ),
    "acl token list": Command(list_, META, FORMAT),
    "acl token delete": Command(delete, *ACCESSOR, format_flag()),
}
