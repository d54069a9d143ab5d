"""`pyconsul acl policy`.

The API: https://developer.hashicorp.com/consul/api-docs/acl/policies
"""

from __future__ import annotations

from typing import Any

from pyconsul.cli.acl.objects import id_or_name
from pyconsul.cli.acl.text import policy_lines
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, UsageError, during
from pyconsul.cli.flags.flag import switch, text, texts
from pyconsul.cli.help.command import Command
from pyconsul.cli.output.render import confirm, document, format_flag

Policy = dict[str, Any]


def show(context: Context, policy: Policy) -> None:
    """Print a policy as `-format` and `-meta` want it."""
    if not document(context, _complete(policy)):
        context.out("\n".join(policy_lines(policy, meta=context.args.switch("meta"))) + "\n")


def _complete(policy: Policy) -> Policy:
    """With Datacenters, which the API leaves out when there are none."""
    return {**policy, "Datacenters": policy.get("Datacenters")}


def create(context: Context) -> None:
    """Create a policy and print it."""
    args = context.args
    if not args.text("name"):
        raise UsageError("Missing required '-name' flag")
    policy: Policy = {
        "Name": args.text("name"),
        "Description": args.text("description"),
        "Rules": context.read_text_source(args.text("rules")),
        "Datacenters": args.texts("valid-datacenter") or None,
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
        policy = {} if args.switch("no-merge") else context.client.get(f"/v1/acl/policy/{identity}")
        body = {"ID": identity, **{name: policy.get(name) for name in ("Name", "Description", "Rules", "Datacenters")}}
        for field, flag in (("Name", "name"), ("Description", "description")):
            if args.given(flag) or args.switch("no-merge"):
                body[field] = args.text(flag)
        if args.given("rules") or args.switch("no-merge"):
            body["Rules"] = context.read_text_source(args.text("rules"))
        if args.given("valid-datacenter"):
            body["Datacenters"] = args.texts("valid-datacenter")
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
        context.out("\n".join(policy_lines(policy, meta=context.args.switch("meta"), listed=True)))


def delete(context: Context) -> None:
    """Delete a policy. One that does not exist is an error."""
    try:
        identity = id_or_name(context, "policy")
        context.client.delete(f"/v1/acl/policy/{identity}")
    except CliError as error:
        raise _failed(context, "deleting", error) from None
    confirm(context, f'Policy "{identity}" deleted successfully', {"ID": identity, "Deleted": True})


def _failed(context: Context, doing: str, error: CliError) -> CliError:
    which = context.args.text("id") or context.args.text("name")
    return during(f'Error {doing} policy "{which}"', error)


_ID = text("id", "ID of the policy, or the unique beginning of one.", metavar="id")
_NAME = text("name", "Name of the policy.", metavar="name")
_META = switch("meta", "Print the content hash and the indexes, too.")
_FORMAT = format_flag("pretty")
_FIELDS = (
    text("description", "What the policy is for.", metavar="text"),
    texts("valid-datacenter", "A datacenter it is for, instead of all; may be given several times."),
    text("rules", "The rules, @path for a file, or - for standard input.", metavar="rules"),
)
COMMANDS = {
    "acl policy create": Command(create, _NAME, *_FIELDS, _META, _FORMAT),
    "acl policy read": Command(read, _ID, _NAME, _META, _FORMAT),
    "acl policy update": Command(
        update,
        _ID,
        text("name", "Name of the policy; with -id its new name.", metavar="name"),
        *_FIELDS,
        switch("no-merge", "Empty the fields that are not given."),
        _META,
        _FORMAT,
    ),
    "acl policy list": Command(list_, _META, _FORMAT),
    "acl policy delete": Command(delete, _ID, _NAME, format_flag()),
}
