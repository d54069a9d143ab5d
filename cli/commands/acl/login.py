"""`pyconsul login` and `logout`: tokens from auth methods.

The API: https://developer.hashicorp.com/consul/api-docs/acl#login-to-auth-method
"""

from __future__ import annotations

import os

from pyconsul.agent.common.reasons import file_error
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, UsageError, during
from pyconsul.cli.flags.flag import pairs, text
from pyconsul.cli.help.command import Command
from pyconsul.cli.http.client import to_json


def login(context: Context) -> None:
    """Trade a bearer token for one of Consul's, and keep that in a file only its owner can read."""
    args = context.args
    if args.rest:
        raise UsageError("Should have no non-flag arguments.")
    for name in ("method", "token-sink-file", "bearer-token-file"):
        if not args.text(name):
            raise UsageError(f"Missing required '-{name}' flag")
    request = {"AuthMethod": args.text("method"), "BearerToken": _bearer_token(args.text("bearer-token-file"))}
    if args.pairs("meta"):
        request = {**request, "Meta": args.pairs("meta")}  # type: ignore[dict-item]
    query = {"dc": args.text("datacenter")} if args.text("datacenter") else {}
    # A login is done without a token: one from the environment must not take part in it.
    client = context.anonymous_client(query)
    try:
        token = client.request("POST", "/v1/acl/login", body=to_json(request)).checked().json()
    except CliError as error:
        raise during("Error logging in", error) from None
    _keep(args.text("token-sink-file"), token["SecretID"])


def _bearer_token(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            token = file.read().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CliError(f"Error reading the bearer token: {file_error(error, path)}") from None
    if not token:
        raise CliError(f"No bearer token found in {path}")
    return token


def _keep(path: str, secret: str) -> None:
    from pyconsul.agent.common.files.atomic_file import write_file

    try:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        write_file(path, secret.encode())
    except OSError as error:
        raise CliError(f"Error writing token to file sink: {file_error(error, path)}") from None


def logout(context: Context) -> None:
    """Destroy the token that is used for this call."""
    if context.args.rest:
        raise UsageError("Should have no non-flag arguments.")
    try:
        context.client.request("POST", "/v1/acl/logout").checked()
    except CliError as error:
        raise during("Error destroying token", error) from None


COMMANDS = {
    "login": Command(
        login,
        text("method", "Name of the auth method.", metavar="name"),
        text("type", "Type of the auth method; not needed."),
        text("bearer-token-file", "File that holds the secret to trade.", metavar="path"),
        text("token-sink-file", "File that the token is kept in.", metavar="path"),
        pairs("meta", "Metadata of the token; may be given several times."),
    ),
    "logout": Command(logout),
}
