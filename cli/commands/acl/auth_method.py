"""`pyconsul acl auth-method`.

The API: https://developer.hashicorp.com/consul/api-docs/acl/auth-methods
"""

from __future__ import annotations

from typing import Any

from pyconsul.agent.common.http_answer import quote
from pyconsul.cli.acl.text import method_lines
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, UsageError, during
from pyconsul.cli.flags.flag import Flag, switch, text
from pyconsul.cli.help.command import Command
from pyconsul.cli.output.render import confirm, document, format_flag

Method = dict[str, Any]
_KUBERNETES = {
    "Host": "kubernetes-host",
    "CACert": "kubernetes-ca-cert",
    "ServiceAccountJWT": "kubernetes-service-account-jwt",
}


def show(context: Context, method: Method) -> None:
    """Print an auth method as `-format` and `-meta` want it."""
    if not document(context, method):
        context.out("\n".join(method_lines(method, meta=context.args.switch("meta"))))


def create(context: Context) -> None:
    """Create an auth method and print it."""
    args = context.args
    for name in ("type", "name"):
        if not args.text(name):
            raise UsageError(f"Missing required '-{name}' flag")
    method = {"Name": args.text("name"), "Type": args.text("type"), **_given(context)}
    if args.text("token-locality"):
        method["TokenLocality"] = args.text("token-locality")
    try:
        created = context.client.put("/v1/acl/auth-method", body=method)
    except CliError as error:
        raise during("Failed to create new auth method", error) from None
    show(context, created)


def _given(context: Context) -> Method:
    """The fields that the flags give."""
    args = context.args
    fields: Method = {"Description": args.text("description"), "DisplayName": args.text("display-name")}
    fields = {name: value for name, value in fields.items() if value}
    if args.given("max-token-ttl"):
        from pyconsul.agent.common.go_durations import format_go_duration_ns

        fields["MaxTokenTTL"] = format_go_duration_ns(round(args.seconds("max-token-ttl") * 1e9))
    config = {name: context.read_text_source(args.text(flag)) for name, flag in _KUBERNETES.items() if args.text(flag)}
    if args.text("config"):
        if config:
            raise UsageError("Cannot use command line arguments with '-config' flag")
        config = _config(context.read_text_source(args.text("config")))
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
    """Change what was given; with -no-merge replace everything but name and type."""
    path = _path(context)
    try:
        method = context.client.get(path)
        given = _given(context)
        if context.args.switch("no-merge"):
            body = {"Name": method["Name"], "Type": method["Type"], **given}
        else:
            config = {**(method.get("Config") or {}), **given.get("Config", {})}
            body = {**method, **given, "Config": given["Config"] if context.args.text("config") else config}
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
        context.out("\n".join(method_lines(method, meta=context.args.switch("meta"), listed=True)))


def delete(context: Context) -> None:
    """Delete an auth method with its binding rules and tokens."""
    try:
        context.client.delete(_path(context))
    except CliError as error:
        raise _failed("deleting", error) from None
    name = context.args.text("name")
    confirm(context, f'Auth-method "{name}" deleted successfully', {"Name": name, "Deleted": True})


def _path(context: Context) -> str:
    if not context.args.text("name"):
        raise UsageError("Must specify the -name parameter")
    return "/v1/acl/auth-method/" + quote(context.args.text("name"), slash=False)


def _failed(doing: str, error: CliError) -> CliError:
    return during(f"Error {doing} auth method", error)


_NAME = text("name", "Name of the auth method.", metavar="name")
_META = switch("meta", "Print the indexes, too.")
_FORMAT = format_flag("pretty")
_FIELDS = (
    text("description", "What the auth method is for.", metavar="text"),
    text("display-name", "A name for people.", metavar="name"),
    Flag("seconds", "max-token-ttl", "How long its tokens are valid.", metavar="duration"),
    text("config", "The configuration in JSON, @path for a file, or - for standard input.", metavar="json"),
    text("kubernetes-host", "Address of the Kubernetes API.", metavar="url"),
    text("kubernetes-ca-cert", "CA certificate of the Kubernetes API, or @path.", metavar="pem"),
    text("kubernetes-service-account-jwt", "Token for Kubernetes' TokenReview API.", metavar="jwt"),
)
COMMANDS = {
    "acl auth-method create": Command(
        create,
        text("type", "Type of the auth method, as jwt or kubernetes.", metavar="type"),
        _NAME,
        *_FIELDS,
        text("token-locality", "local or global.", metavar="where"),
        _META,
        _FORMAT,
    ),
    "acl auth-method read": Command(read, _NAME, _META, _FORMAT),
    "acl auth-method update": Command(
        update, _NAME, *_FIELDS, switch("no-merge", "Replace everything, instead of adding to it."), _META, _FORMAT
    ),
    "acl auth-method list": Command(list_, _META, _FORMAT),
    "acl auth-method delete": Command(delete, _NAME, format_flag()),
}
