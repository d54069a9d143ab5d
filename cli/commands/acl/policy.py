"""`pyconsul acl policy`.

The API: https://developer.hashicorp.com/consul/api-docs/acl/policies
"""

from __future__ import annotations

from typing import Any

from pyconsul.agent.common.options import switch, text, texts
from pyconsul.cli.acl.named_objects import META, NamedObjects
from pyconsul.cli.acl.objects import id_or_name
from pyconsul.cli.acl.text import policy_lines
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, UsageError
from pyconsul.cli.help.command import Command
from pyconsul.cli.output.render import format_flag

Policy = dict[str, Any]


def _complete(policy: Policy) -> Policy:
    """Add Datacenters, which the API leaves out when it is empty."""
    return {**policy, "Datacenters": policy.get("Datacenters")}


POLICIES = NamedObjects("policy", "policies", policy_lines, _complete)


def create(context: Context) -> None:
    """Create a policy and print it."""
    args = context.args
    if not args[_NAME]:
        raise UsageError("Missing required '-name' flag")
    policy: Policy = {
        "Name": args[_NAME],
        "Description": args[_DESCRIPTION],
        "Rules": context.read_text_source(args[_RULES]),
        "Datacenters": args[_VALID_DATACENTER] or None,
    }
    POLICIES.create(context, policy)


def update(context: Context) -> None:
    """Change the fields that were given; with -no-merge the others are emptied."""
    args = context.args
    try:
        identity = id_or_name(context, "policy")
        policy = {} if args[_NO_MERGE] else context.client.get(f"/v1/acl/policy/{identity}")
        body = {"ID": identity, **{name: policy.get(name) for name in ("Name", "Description", "Rules", "Datacenters")}}
        for field, option in (("Name", _NEW_NAME), ("Description", _DESCRIPTION)):
            if args.given(option) or args[_NO_MERGE]:
                body[field] = args[option]
        if args.given(_RULES) or args[_NO_MERGE]:
            body["Rules"] = context.read_text_source(args[_RULES])
        if args.given(_VALID_DATACENTER):
            body["Datacenters"] = args[_VALID_DATACENTER]
        updated = context.client.put(f"/v1/acl/policy/{identity}", body=body)
    except CliError as error:
        raise POLICIES.failure(context, "updating", error) from None
    POLICIES.show(context, updated)


_ID = text("id", "ID of the policy, or a unique prefix of it.", metavar="id")
_NAME = text("name", "Name of the policy.", metavar="name")
_FORMAT = format_flag("pretty")
_DESCRIPTION = text("description", "Description of the policy.", metavar="text")
_VALID_DATACENTER = texts(
    "valid-datacenter", "Datacenter where the policy is valid; the default is all; may be repeated."
)
_RULES = text("rules", "The rules, @path for a file, or - for standard input.", metavar="rules")
_FIELDS = (
    _DESCRIPTION,
    _VALID_DATACENTER,
    _RULES,
)
_NEW_NAME = text("name", "Name of the policy; with -id its new name.", metavar="name")
_NO_MERGE = switch("no-merge", "Clear the fields that are not given.")
COMMANDS = {
    "acl policy create": Command(create, _NAME, *_FIELDS, META, _FORMAT),
    "acl policy read": Command(POLICIES.read, _ID, _NAME, META, _FORMAT),
    "acl policy update": Command(
        update,
        _ID,
        _NEW_NAME,
        *_FIELDS,
        _NO_MERGE,
        META,
        _FORMAT,
    ),
    "acl policy list": Command(POLICIES.list_all, META, _FORMAT),
    "acl policy delete": Command(POLICIES.delete, _ID, _NAME, format_flag()),
}
