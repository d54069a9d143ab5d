"""`pyconsul acl token update`: the given links replace those of the token, or are added with -append-….

Without -policy-… or -role-… policies and roles stay as they are; service and node identities that are not given again
are lost, as with Consul's command.
"""

from __future__ import annotations

from typing import Any

from pyconsul.agent.common.options import Args, Option, switch, text
from pyconsul.cli.acl.objects import (
    APPEND_FLAGS,
    APPEND_NODE_IDENTITY,
    APPEND_POLICY_ID,
    APPEND_POLICY_NAME,
    APPEND_ROLE_ID,
    APPEND_ROLE_NAME,
    APPEND_SERVICE_IDENTITY,
    GRANT_FLAGS,
    NODE_IDENTITY,
    POLICY_ID,
    POLICY_NAME,
    ROLE_FLAGS,
    ROLE_ID,
    ROLE_NAME,
    SERVICE_IDENTITY,
    TEMPLATED_POLICY,
    TEMPLATED_POLICY_FILE,
    VAR,
    links,
    merged,
    node_identities,
    service_identities,
    templated_policies,
)
from pyconsul.cli.commands.acl.token import ACCESSOR, FORMAT, META, accessor, show
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, UsageError, during
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
    if context.args[_DESCRIPTION]:
        token["Description"] = context.args[_DESCRIPTION]
    _set_links(context, token, "Policies", "policy", merge=context.args[_MERGE_POLICIES])
    _set_links(context, token, "Roles", "role", merge=context.args[_MERGE_ROLES])
    _set_identities(context.args, token)
    _set_templates(context.args, token)
    try:
        updated = context.client.put(f"/v1/acl/token/{identity}", body=token)
    except CliError as error:
        raise during(f"Failed to update token {identity}", error) from None
    show(context, updated)


def _refuse_mixtures(args: Args) -> None:
    for replace, append in _ALTERNATIVES:
        replacing = [option.name for option in replace if args.given(option)]
        appending = [option.name for option in append if args.given(option)]
        if replacing and appending:
            raise UsageError(f"Cannot combine -{replacing[0]}, which replaces, with -{appending[0]}, which adds")


def _set_links(context: Context, token: Token, field: str, kind: str, *, merge: bool) -> None:
    replacing, appending = links(context, kind), links(context, kind, "append-")
    if replacing and not merge:
        token[field] = replacing
    elif replacing or appending:
        token[field] = merged(token.get(field), replacing + appending, "ID", "Name")


def _set_identities(args: Args, token: Token) -> None:
    services = service_identities(args[SERVICE_IDENTITY])
    more_services = service_identities(args[APPEND_SERVICE_IDENTITY])
    if args[_MERGE_SERVICE_IDENTITIES] or more_services:
        token["ServiceIdentities"] = merged(token.get("ServiceIdentities"), services + more_services, "ServiceName")
    else:
        token["ServiceIdentities"] = services
    nodes = node_identities(args[NODE_IDENTITY])
    more_nodes = node_identities(args[APPEND_NODE_IDENTITY])
    kept: list[Token] = []
    if args[_MERGE_NODE_IDENTITIES] or more_nodes:
        kept = token.get("NodeIdentities") or []
    token["NodeIdentities"] = kept + [one for one in nodes + more_nodes if one not in kept]


def _set_templates(args: Args, token: Token) -> None:
    variables = args[VAR]
    given = templated_policies(
        args[TEMPLATED_POLICY],
        args[TEMPLATED_POLICY_FILE],
        variables if args[TEMPLATED_POLICY] else [],
    )
    if given:
        token["TemplatedPolicies"] = given
        return
    appended = templated_policies(args[_APPEND_TEMPLATED_POLICY], args[_APPEND_TEMPLATED_POLICY_FILE], variables)
    if appended:
        token["TemplatedPolicies"] = [*(token.get("TemplatedPolicies") or ()), *appended]


#: Flags that replace the links of the token, and flags that add links.
_ALTERNATIVES = (
    ((POLICY_ID, POLICY_NAME), (APPEND_POLICY_ID, APPEND_POLICY_NAME)),
    ((ROLE_ID, ROLE_NAME), (APPEND_ROLE_ID, APPEND_ROLE_NAME)),
    ((SERVICE_IDENTITY,), (APPEND_SERVICE_IDENTITY,)),
    ((NODE_IDENTITY,), (APPEND_NODE_IDENTITY,)),
)


def _old(name: str) -> Option[bool]:
    return switch(name, "Old: use the flags that begin with -append.", hidden=True)


_MERGE_POLICIES, _MERGE_ROLES = _old("merge-policies"), _old("merge-roles")
_MERGE_SERVICE_IDENTITIES, _MERGE_NODE_IDENTITIES = _old("merge-service-identities"), _old("merge-node-identities")
_OLD = (_MERGE_POLICIES, _MERGE_ROLES, _MERGE_SERVICE_IDENTITIES, _MERGE_NODE_IDENTITIES)
_DESCRIPTION = text("description", "Description of the token.", metavar="text")
_APPEND_TEMPLATED_POLICY = text("append-templated-policy", "Name of a policy template to add.", metavar="name")
_APPEND_TEMPLATED_POLICY_FILE = text(
    "append-templated-policy-file", "File with TemplatedPolicies to add.", metavar="path"
)
COMMANDS = {
    "acl token update": Command(
        update,
        *ACCESSOR,
        _DESCRIPTION,
        *GRANT_FLAGS,
        *ROLE_FLAGS,
        *APPEND_FLAGS,
        _APPEND_TEMPLATED_POLICY,
        _APPEND_TEMPLATED_POLICY_FILE,
        *_OLD,
        META,
        FORMAT,
    ),
}
