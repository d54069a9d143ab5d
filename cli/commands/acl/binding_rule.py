"""`pyconsul acl binding-rule`.

The API: https://developer.hashicorp.com/consul/api-docs/acl/binding-rules
"""

from __future__ import annotations

from typing import Any

from pyconsul.agent.common.options import pairs, switch, text
from pyconsul.cli.acl.objects import full_id
from pyconsul.cli.acl.text import rule_lines
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, UsageError, during
from pyconsul.cli.help.command import Command
from pyconsul.cli.output.render import confirm, document, format_flag

Rule = dict[str, Any]


def show(context: Context, rule: Rule) -> None:
    """Print a binding rule as `-format` and `-meta` want it."""
    if not document(context, rule):
        context.out("\n".join(rule_lines(rule, meta=context.args[_META])) + "\n")


def create(context: Context) -> None:
    """Create a binding rule and print it."""
    args = context.args
    for option in (_METHOD, _BIND_TYPE, _BIND_NAME):
        if not args[option]:
            raise UsageError(f"Missing required '-{option.name}' flag")
    rule = {"AuthMethod": args[_METHOD], **{field: args[option] for field, option in _GIVEN.items()}}
    try:
        created = context.client.put("/v1/acl/binding-rule", body={**rule, **_variables(context)})
    except CliError as error:
        raise during("Failed to create new binding rule", error) from None
    show(context, created)


def _variables(context: Context) -> Rule:
    given = context.args[_BIND_VARS]
    if not given:
        return {}
    if set(given) != {"name"}:
        raise UsageError("-bind-vars: use name=VALUE")
    return {"BindVars": {"Name": given["name"]}}


def update(context: Context) -> None:
    """Change the given fields; with -no-merge replace all but the auth method."""
    args = context.args
    if args[_NO_MERGE] and not args[_BIND_NAME]:
        raise UsageError("Missing required '-bind-name' flag")
    identity = _identity(context)
    try:
        rule = context.client.get(f"/v1/acl/binding-rule/{identity}")
        if args[_NO_MERGE]:
            body = {"ID": identity, "AuthMethod": rule["AuthMethod"]}
            body |= {field: args[option] for field, option in _GIVEN.items()}
        else:
            body = {**rule, **{field: args[option] for field, option in _GIVEN.items() if args.given(option)}}
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
    query = {"authmethod": context.args[_METHOD]} if context.args[_METHOD] else {}
    try:
        rules = context.client.get("/v1/acl/binding-rules", query)
    except CliError as error:
        raise during("Failed to retrieve the binding rule list", error) from None
    if document(context, rules):
        return
    for rule in rules:
        context.out("\n".join(rule_lines(rule, meta=context.args[_META], listed=True)))


def delete(context: Context) -> None:
    """Delete a binding rule."""
    identity = _identity(context)
    try:
        context.client.delete(f"/v1/acl/binding-rule/{identity}")
    except CliError as error:
        raise during(f'Error deleting binding rule "{identity}"', error) from None
    confirm(context, f'Binding rule "{identity}" deleted successfully', {"ID": identity, "Deleted": True})


def _identity(context: Context) -> str:
    if not context.args[_ID]:
        raise UsageError("Must specify the -id parameter")
    return full_id(context.client, "binding-rule", context.args[_ID])


_ID = text("id", "ID of the binding rule, or a unique prefix of it.", metavar="id")
_METHOD = text("method", "Name of the auth method.", metavar="name")
_META = switch("meta", "Also print the indexes.")
_FORMAT = format_flag("pretty")
_DESCRIPTION = text("description", "Description of the rule.", metavar="text")
_SELECTOR = text("selector", "Selector expression that an identity must match.", metavar="expression")
_BIND_TYPE = text(
    "bind-type", "Type of the bound object: service, node, role, policy or templated-policy.", "service", metavar="type"
)
_BIND_NAME = text("bind-name", "Name of the bound object; may contain ${…} of the identity.", metavar="name")
_BIND_VARS = pairs("bind-vars", "Variable of a templated policy, as name=${…}.")
_GIVEN = {"Description": _DESCRIPTION, "BindType": _BIND_TYPE, "BindName": _BIND_NAME, "Selector": _SELECTOR}
_FIELDS = (
    _DESCRIPTION,
    _SELECTOR,
    _BIND_TYPE,
    _BIND_NAME,
    _BIND_VARS,
)
_NO_MERGE = switch("no-merge", "Replace all fields, including those that are not given.")
COMMANDS = {
    "acl binding-rule create": Command(create, _METHOD, *_FIELDS, _META, _FORMAT),
    "acl binding-rule read": Command(read, _ID, _META, _FORMAT),
    "acl binding-rule update": Command(
        update,
        _ID,
        *_FIELDS,
        _NO_MERGE,
        _META,
        _FORMAT,
    ),
    "acl binding-rule list": Command(list_, _METHOD, _META, _FORMAT),
    "acl binding-rule delete": Command(delete, _ID, format_flag()),
}
