"""`pyconsul acl policy`.

The API: https://developer.hashicorp.com/consul/api-docs/acl/policies
"""

from __future__ import annotations

from typing import Any

from pyconsul.agent.common.options import switch, text, texts
from pyconsul.cli.acl.objects import id_or_name
from pyconsul.cli.acl.text import policy_lines
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, UsageError, during
from pyconsul.cli.help.command import Command
from pyconsul.cli.output.render import confirm, document, format_flag

Policy = dict[str, Any]


def show(context: Context, policy: Policy) -> None:
    """Print a policy as `-format` and `-meta` want it."""
    if not document(context, _complete(policy)):
        context.out("\n".join(policy_lines(policy, meta=context.args[_META])) + "\n")


def _complete(policy: Policy) -> Policy:
    """With Datacenters, which the API leaves out when there are none."""
    return {**policy, "Datacenters": policy.get("Datacenters")}


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
    try:
        created = context.client.put("/v1/acl/policy", body=policy)
    except CliError as error:
        raise during("Failed to create new policy", error) from None
    show(context, created)


def read(context: Context) -> None:
    """Print a policy."""
    try:
        policy = context.client.get(f"/v1/acl/policy/{id_or_name(context, 'policy')}")
    except CliError as error:
        raise _failed(context, "reading", error) from None
    show(context, policy)


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
        raise _failed(context, "updating", error) from None
    show(context, updated)


def list_(context: Context) -> None:
    """Print every policy."""
    try:
        policies = context.client.get("/v1/acl/policies")
    except CliError as error:
        raise during("Failed to retrieve the policy list", error) from None
    if document(context, [_complete(policy) for policy in policies]):
        return
    for policy in policies:
        context.out("\n".join(policy_lines(policy, meta=context.args[_META], listed=True)))


def delete(context: Context) -> None:
    """Delete a policy. One that does not exist is an error."""
    try:
        identity = id_or_name(context, "policy")
        context.client.delete(f"/v1/acl/policy/{identity}")
    except CliError as error:
        raise _failed(context, "deleting", error) from None
    confirm(context, f'Policy "{identity}" deleted successfully', {"ID": identity, "Deleted": True})


def _failed(context: Context, doing: str, error: CliError) -> CliError:
    which = context.args[_ID] or context.args[_NAME]
    return during(f'Error {doing} policy "{which}"', error)


_ID = text("id", "ID of the policy, or a unique prefix of it.", metavar="id")
_NAME = text("name", "Name of the policy.", metavar="name")
_META = switch("meta", "Also print the content hash and the indexes.")
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
    "acl policy create": Command(create, _NAME, *_FIELDS, _META, _FORMAT),
    "acl policy read": Command(read, _ID, _NAME, _META, _FORMAT),
    "acl policy update": Command(
        update,
        _ID,
        _NEW_NAME,
        *_FIELDS,
        _NO_MERGE,
        _META,
        _FORMAT,
    ),
    "acl policy list": Command(list_, _META, _FORMAT),
    "acl policy delete": Command(delete, _ID, _NAME, format_flag()),
}
