"""`pyconsul acl token update`: what is given replaces or, with -append-…, joins what the token has.

Without -policy-… or -role-… policies and roles stay as they are; service and node identities that are not given again
are lost, as with Consul's command.
"""

from __future__ import annotations

from typing import Any

from pyconsul.cli.acl.objects import (
    GRANT_FLAGS,
    ROLE_FLAGS,
    links,
    merged,
    node_identities,
    service_identities,
    templated_policies,
)
from pyconsul.cli.commands.acl.token import ACCESSOR, FORMAT, META, accessor, show
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, UsageError, during
from pyconsul.cli.flags.flag import Args, Flag, text, texts
from pyconsul.cli.help.command import Command

Token = dict[str, Any]


def update(context: Context) -> None:
    """Change a token and print it."""
    _refuse_mixtures(context.args)
    identity = accessor(context)
    try:
        token = context.client.get(f"/v1/acl/token/{identity}")
    except CliError as error:
        raise during("Error when retrieving current token", error) from None
    if context.args.text("description"):
        token["Description"] = context.args.text("description")
    _set_links(context, token, "Policies", "policy", merge=context.args.switch("merge-policies"))
    _set_links(context, token, "Roles", "role", merge=context.args.switch("merge-roles"))
    _set_identities(context.args, token)
    _set_templates(context.args, token)
    try:
        updated = context.client.put(f"/v1/acl/token/{identity}", body=token)
    except CliError as error:
        raise during(f"Failed to update token {identity}", error) from None
    show(context, updated)


def _refuse_mixtures(args: Args) -> None:
    for names in (("policy-id", "policy-name"), ("role-id", "role-name"), ("service-identity",), ("node-identity",)):
        replacing = [name for name in names if args.given(name)]
        appending = [f"append-{name}" for name in names if args.given(f"append-{name}")]
        if replacing and appending:
            raise UsageError(f"Cannot combine -{replacing[0]}, which replaces, with -{appending[0]}, which adds")


def _set_links(context: Context, token: Token, field: str, kind: str, *, merge: bool) -> None:
    replacing, appending = links(context, kind), links(context, kind, "append-")
    if replacing and not merge:
        token[field] = replacing
    elif replacing or appending:
        token[field] = merged(token.get(field), replacing + appending, "ID", "Name")


def _set_identities(args: Args, token: Token) -> None:
    services = service_identities(args.texts("service-identity"))
    more_services = service_identities(args.texts("append-service-identity"))
    if more_services or args.switch("merge-service-identities"):
        token["ServiceIdentities"] = merged(token.get("ServiceIdentities"), services + more_services, "ServiceName")
    else:
        token["ServiceIdentities"] = services
    nodes = node_identities(args.texts("node-identity"))
    more_nodes = node_identities(args.texts("append-node-identity"))
    kept: list[Token] = []
    if more_nodes or args.switch("merge-node-identities"):
        kept = token.get("NodeIdentities") or []
    token["NodeIdentities"] = kept + [one for one in nodes + more_nodes if one not in kept]


def _set_templates(args: Args, token: Token) -> None:
    variables = args.texts("var")
    given = templated_policies(
        args.text("templated-policy"),
        args.text("templated-policy-file"),
        variables if args.text("templated-policy") else [],
    )
    if given:
        token["TemplatedPolicies"] = given
        return
    appended = templated_policies(
        args.text("append-templated-policy"), args.text("append-templated-policy-file"), variables
    )
    if appended:
        token["TemplatedPolicies"] = [*(token.get("TemplatedPolicies") or ()), *appended]


_APPEND = tuple(
    texts(f"append-{flag.name}", f"The same, added to what the token has: {flag.help}")
    for flag in (*GRANT_FLAGS, *ROLE_FLAGS)
    if flag.kind == "texts" and flag.name != "var"
)
_OLD = tuple(
    Flag("switch", name, "Old: use the flags that begin with -append.", False, hidden=True)
    for name in ("merge-policies", "merge-roles", "merge-service-identities", "merge-node-identities")
)
COMMANDS = {
    "acl token update": Command(
        update,
        *ACCESSOR,
        text("description", "What the token is for.", metavar="text"),
        *GRANT_FLAGS,
        *ROLE_FLAGS,
        *_APPEND,
        text("append-templated-policy", "Name of a policy template to add.", metavar="name"),
        text("append-templated-policy-file", "File with TemplatedPolicies to add.", metavar="path"),
        *_OLD,
        META,
        FORMAT,
    ),
}
