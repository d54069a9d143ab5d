"""`pyconsul acl role`.

The API: https://developer.hashicorp.com/consul/api-docs/acl/roles
"""

from __future__ import annotations

from typing import Any

from pyconsul.agent.common.options import switch, text
from pyconsul.cli.acl.named_objects import META, NamedObjects
from pyconsul.cli.acl.objects import GRANT_FLAGS, full_id, granted, merged
from pyconsul.cli.acl.text import role_lines
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, UsageError
from pyconsul.cli.help.command import Command
from pyconsul.cli.output.render import format_flag

Role = dict[str, Any]
_KEYS = {"Policies": ("ID", "Name"), "ServiceIdentities": ("ServiceName",), "TemplatedPolicies": ("TemplateName",)}
ROLES = NamedObjects("role", "roles", role_lines)


def create(context: Context) -> None:
    """Create a role and print it."""
    args = context.args
    if not args[_NAME]:
        raise UsageError("Missing require '-name' flag")
    given = granted(context)
    if not given:
        raise UsageError(
            "Cannot create a role without specifying -policy-name, -policy-id, -service-identity, -node-identity, "
            "or -templated-policy at least once"
        )
    ROLES.create(context, {"Name": args[_NAME], "Description": args[_DESCRIPTION], **given})


def update(context: Context) -> None:
    """Change the given fields, and add to the role's grants; with -no-merge replace all fields."""
    args = context.args
    if not args[_ID]:
        raise UsageError("Cannot update a role without specifying the -id parameter")
    try:
        identity = full_id(context.client, "role", args[_ID])
        role = context.client.get(f"/v1/acl/role/{identity}")
        given = granted(context)
        if args[_NO_MERGE]:
            body = {"ID": identity, "Name": args[_NAME], "Description": args[_DESCRIPTION], **given}
        else:
            body = _merged(role, given)
            body["Name"] = args[_NAME] or role["Name"]
            body["Description"] = args[_DESCRIPTION] or role["Description"]
        updated = context.client.put(f"/v1/acl/role/{identity}", body=body)
    except CliError as error:
        raise ROLES.failure(context, "updating", error) from None
    ROLES.show(context, updated)


def _merged(role: Role, given: Role) -> Role:
    body = dict(role)
    for field, keys in _KEYS.items():
        if field in given:
            body[field] = merged(role.get(field), given[field], *keys)
    nodes = role.get("NodeIdentities") or []
    body["NodeIdentities"] = nodes + [one for one in given.get("NodeIdentities", ()) if one not in nodes]
    return body


_ID = text("id", "ID of the role, or a unique prefix of it.", metavar="id")
_NAME = text("name", "Name of the role.", metavar="name")
_DESCRIPTION = text("description", "Description of the role.", metavar="text")
_FORMAT = format_flag("pretty")
_NEW_NAME = text("name", "The role's new name.", metavar="name")
_NO_MERGE = switch("no-merge", "Replace all fields instead of adding to them.")
COMMANDS = {
    "acl role create": Command(create, _NAME, _DESCRIPTION, *GRANT_FLAGS, META, _FORMAT),
    "acl role read": Command(ROLES.read, _ID, _NAME, META, _FORMAT),
    "acl role update": Command(
        update,
        _ID,
        _NEW_NAME,
        _DESCRIPTION,
        *GRANT_FLAGS,
        _NO_MERGE,
        META,
        _FORMAT,
    ),
    "acl role list": Command(ROLES.list_all, META, _FORMAT),
    "acl role delete": Command(ROLES.delete, _ID, _NAME, format_flag()),
}
