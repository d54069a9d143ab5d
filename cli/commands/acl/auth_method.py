"""`pyconsul acl auth-method`.

The API: https://developer.hashicorp.com/consul/api-docs/acl/auth-methods
"""

from __future__ import annotations

from typing import Any

from pyconsul.agent.common.http_answer import quote
from pyconsul.agent.common.options import seconds, switch, text
from pyconsul.cli.acl.text import method_lines
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, UsageError, during
from pyconsul.cli.help.command import Command
from pyconsul.cli.output.render import confirm, document, format_flag

Method = dict[str, Any]


def show(context: Context, method: Method) -> None:
    """Print an auth method as `-format` and `-meta` want it."""
    if not document(context, method):
        context.out("\n".join(method_lines(method, meta=context.args[_META])))


def create(context: Context) -> None:
    """Create an auth method and print it."""
    args = context.args
    for option in (_TYPE, _NAME):
        if not args[option]:
            raise UsageError(f"Missing required '-{option.name}' flag")
    method = {"Name": args[_NAME], "Type": args[_TYPE], **_given(context)}
    if args[_TOKEN_LOCALITY]:
        method["TokenLocality"] = args[_TOKEN_LOCALITY]
    try:
        created = context.client.put("/v1/acl/auth-method", body=method)
    except CliError as error:
        raise during("Failed to create new auth method", error) from None
    show(context, created)


def _given(context: Context) -> Method:
    """Return the fields that the flags give."""
    args = context.args
    fields: Method = {"Description": args[_DESCRIPTION], "DisplayName": args[_DISPLAY_NAME]}
    fields = {name: value for name, value in fields.items() if value}
    if args.given(_MAX_TOKEN_TTL):
        from pyconsul.agent.common.go.durations import format_go_duration_ns

        fields["MaxTokenTTL"] = format_go_duration_ns(round(args[_MAX_TOKEN_TTL] * 1e9))
    config = {name: context.read_text_source(args[option]) for name, option in _KUBERNETES.items() if args[option]}
    if args[_CONFIG]:
        if config:
            raise UsageError("Cannot use command line arguments with '-config' flag")
        config = _config(context.read_text_source(args[_CONFIG]))
    return {**fields, "Config": config} if config else fields


def _config(source: str) -> Method:
    import json

    try:
        config = json.loads(source)
    except ValueError as error:
        raise CliError(f"Error parsing JSON for auth method config: {error}") from None
    if not isinstance(config, dict):
        raise CliError("Error parsing JSON for auth method config: it must be an object")
    return config


def update(context: Context) -> None:
    """Change the given fields; with -no-merge replace all but name and type."""
    path = _path(context)
    try:
        method = context.client.get(path)
        given = _given(context)
        if context.args[_NO_MERGE]:
            body = {"Name": method["Name"], "Type": method["Type"], **given}
        else:
            config = {**(method.get("Config") or {}), **given.get("Config", {})}
            body = {**method, **given, "Config": given["Config"] if context.args[_CONFIG] else config}
        updated = context.client.put(path, body=body)
    except CliError as error:
        raise _failed("updating", error) from None
    show(context, updated)


def read(context: Context) -> None:
    """Print an auth method."""
    try:
        method = context.client.get(_path(context))
    except CliError as error:
        raise _failed("reading", error) from None
    show(context, method)


def list_(context: Context) -> None:
    """Print every auth method."""
    try:
        methods = context.client.get("/v1/acl/auth-methods")
    except CliError as error:
        raise during("Failed to retrieve the auth method list", error) from None
    if document(context, methods):
        return
    for method in methods:
        context.out("\n".join(method_lines(method, meta=context.args[_META], listed=True)))


def delete(context: Context) -> None:
    """Delete an auth method with its binding rules and tokens."""
    try:
        context.client.delete(_path(context))
    except CliError as error:
        raise _failed("deleting", error) from None
    name = context.args[_NAME]
    confirm(context, f'Auth-method "{name}" deleted successfully', {"Name": name, "Deleted": True})


def _path(context: Context) -> str:
    if not context.args[_NAME]:
        raise UsageError("Must specify the -name parameter")
    return "/v1/acl/auth-method/" + quote(context.args[_NAME], slash=False)


def _failed(doing: str, error: CliError) -> CliError:
    return during(f"Error {doing} auth method", error)


_NAME = text("name", "Name of the auth method.", metavar="name")
_META = switch("meta", "Also print the indexes.")
_FORMAT = format_flag("pretty")
_DESCRIPTION = text("description", "Description of the auth method.", metavar="text")
_DISPLAY_NAME = text("display-name", "Display name.", metavar="name")
_MAX_TOKEN_TTL = seconds("max-token-ttl", "Lifetime of its tokens.")
_CONFIG = text("config", "The configuration in JSON, @path for a file, or - for standard input.", metavar="json")
_KUBERNETES_HOST = text("kubernetes-host", "Address of the Kubernetes API.", metavar="url")
_KUBERNETES_CA_CERT = text("kubernetes-ca-cert", "CA certificate of the Kubernetes API, or @path.", metavar="pem")
_KUBERNETES_SERVICE_ACCOUNT_JWT = text(
    "kubernetes-service-account-jwt", "Token for Kubernetes' TokenReview API.", metavar="jwt"
)
_KUBERNETES = {
    "Host": _KUBERNETES_HOST,
    "CACert": _KUBERNETES_CA_CERT,
    "ServiceAccountJWT": _KUBERNETES_SERVICE_ACCOUNT_JWT,
}
_FIELDS = (
    _DESCRIPTION,
    _DISPLAY_NAME,
    _MAX_TOKEN_TTL,
    _CONFIG,
    _KUBERNETES_HOST,
    _KUBERNETES_CA_CERT,
    _KUBERNETES_SERVICE_ACCOUNT_JWT,
)
_TYPE = text("type", "Type of the auth method, as jwt or kubernetes.", metavar="type")
_TOKEN_LOCALITY = text("token-locality", "local or global.", metavar="where")
_NO_MERGE = switch("no-merge", "Replace all fields instead of adding to them.")
COMMANDS = {
    "acl auth-method create": Command(
        create,
        _TYPE,
        _NAME,
        *_FIELDS,
        _TOKEN_LOCALITY,
        _META,
        _FORMAT,
    ),
    "acl auth-method read": Command(read, _NAME, _META, _FORMAT),
    "acl auth-method update": Command(update, _NAME, *_FIELDS, _NO_MERGE, _META, _FORMAT),
    "acl auth-method list": Command(list_, _META, _FORMAT),
    "acl auth-method delete": Command(delete, _NAME, format_flag()),
}
