"""`pyconsul acl binding-rule`.

The API: https://developer.hashicorp.com/consul/api-docs/acl/binding-rules
"""

from __future__ import annotations

from typing import Any

from pyconsul.cli.acl.objects import full_id
from pyconsul.cli.acl.text import rule_lines
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, UsageError, during
from pyconsul.cli.flags.flag import pairs, switch, text
from pyconsul.cli.help.command import Command
from pyconsul.cli.output.render import confirm, document, format_flag

Rule = dict[str, Any]
_GIVEN = {"Description": "description", "BindType": "bind-type", "BindName": "bind-name", "Selector": "selector"}


def show(context: Context, rule: Rule) -> None:
    """Print a binding rule as `-format` and `-meta` want it."""
    if not document(context, rule):
        context.out("\n".join(rule_lines(rule, meta=context.args.switch("meta"))) + "\n")


def create(context: Context) -> None:
    """Create a binding rule and print it."""
    args = context.args
    for name in ("method", "bind-type", "bind-name"):
        if not args.text(name):
            raise UsageError(f"Missing required '-{name}' flag")
    rule = {"AuthMethod": args.text("method"), **{field: args.text(flag) for field, flag in _GIVEN.items()}}
    try:
        created = context.client.put("/v1/acl/binding-rule", body={**rule, **_variables(context)})
    except CliError as error:
        raise during("Failed to create new binding rule", error) from None
    show(context, created)


def _variables(context: Context) -> Rule:
    given = context.args.pairs("bind-vars")
    if not given:
        return {}
    if set(given) != {"name"}:
        raise UsageError("-bind-vars: use name=VALUE")
    return {"BindVars": {"Name": given["name"]}}


def update(context: Context) -> None:
    """Change what was given; with -no-merge replace everything but the auth method."""
    args = context.args
    if args.switch("no-merge") and not args.text("bind-name"):
        raise UsageError("Missing required '-bind-name' flag")
    identity = _identity(context)
    try:
        rule = context.client.get(f"/v1/acl/binding-rule/{identity}")
        if args.switch("no-merge"):
            body = {"ID": identity, "AuthMethod": rule["AuthMethod"]}
            body |= {field: args.text(flag) for field, flag in _GIVEN.items()}
        else:
            body = {**rule, **{field: args.text(flag) for field, flag in _GIVEN.items() if args.given(flag)}}
        updated = context.client.put(f"/v1/acl/binding-rule/{identity}", body={**body, **_variables(context)})
    except CliError as error:
        raise during("Error updating binding rule", error) from None
    show(context, updated)


def read(context: Context) -> None:
    """Print a binding rule."""
    identity = _identity(context)
    try:
        rule = context.client.get(f"/v1/acl/binding-rule/{identity}")
    except CliError as error:
        raise during("Error reading binding rule", error) from None
    show(context, rule)


def list_(context: Context) -> None:
    """Print every binding rule, or those of one auth method."""
    query = {"authmethod": context.args.text("method")} if context.args.text("method") else {}
    try:
        rules = context.client.get("/v1/acl/binding-rules", query)
    except CliError as error:
        raise during("Failed to retrieve the binding rule list", error) from None
    if document(context, rules):
        return
    for rule in rules:
        context.out("\n".join(rule_lines(rule, meta=context.args.switch("meta"), listed=True)))


def delete(context: Context) -> None:
    """Delete a binding rule."""
    identity = _identity(context)
    try:
        context.client.delete(f"/v1/acl/binding-rule/{identity}")
    except CliError as error:
        raise during(f'Error deleting binding rule "{identity}"', error) from None
    confirm(context, f'Binding rule "{identity}" deleted successfully', {"ID": identity, "Deleted": True})


def _identity(context: Context) -> str:
    if not context.args.text("id"):
        raise UsageError("Must specify the -id parameter")
    return full_id(context.client, "binding-rule", context.args.text("id"))


_ID = text("id", "ID of the binding rule, or the unique beginning of one.", metavar="id")
_METHOD = text("method", "Name of the auth method.", metavar="name")
_META = switch("meta", "Print the indexes, too.")
_FORMAT = format_flag("pretty")
_FIELDS = (
    text("description", "What the rule is for.", metavar="text"),
    text("selector", "Expression that an identity must fulfil.", metavar="expression"),
    text("bind-type", "What is bound: service, node, role, policy or templated-policy.", "service", metavar="type"),
    text("bind-name", "Name of what is bound; may hold ${…} of the identity.", metavar="name"),
    pairs("bind-vars", "Variable of a templated policy, as name=${…}."),
)
COMMANDS = {
    "acl binding-rule create": Command(create, _METHOD, *_FIELDS, _META, _FORMAT),
    "acl binding-rule read": Command(read, _ID, _META, _FORMAT),
    "acl binding-rule update": Command(
        update,
        _ID,
        *_FIELDS,
        switch("no-merge", "Replace everything, instead of changing what is given."),
        _META,
        _FORMAT,
    ),
    "acl binding-rule list": Command(list_, _METHOD, _META, _FORMAT),
    "acl binding-rule delete": Command(delete, _ID, format_flag()),
}
