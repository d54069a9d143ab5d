"""`pyconsul login` and `logout`: tokens from auth methods.

The API: https://developer.hashicorp.com/consul/api-docs/acl#login-to-auth-method
"""

from __future__ import annotations

import os

from pyconsul.agent.common.options import pairs, text
from pyconsul.agent.common.reasons import file_error
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, UsageError, during
from pyconsul.cli.help.command import Command
from pyconsul.cli.http.client import to_json
from pyconsul.cli.http.flags import DATACENTER


def login(context: Context) -> None:
    """Trade a bearer token for one of Consul's, and keep that in a file only its owner can read."""
    args = context.args
    if args.rest:
        raise UsageError("Should have no non-flag arguments.")
    for option in (_METHOD, _TOKEN_SINK_FILE, _BEARER_TOKEN_FILE):
        if not args[option]:
            raise UsageError(f"Missing required '-{option.name}' flag")
    request = {"AuthMethod": args[_METHOD], "BearerToken": _bearer_token(args[_BEARER_TOKEN_FILE])}
    if args[_META]:
        request = {**request, "Meta": args[_META]}  # type: ignore[dict-item]
    query = {"dc": args[DATACENTER]} if args[DATACENTER] else {}
    # A login is done without a token: one from the environment must not take part in it.
    client = context.anonymous_client(query)
    try:
        token = client.request("POST", "/v1/acl/login", body=to_json(request)).checked().json()
    except CliError as error:
        raise during("Error logging in", error) from None
    _keep(args[_TOKEN_SINK_FILE], token["SecretID"])


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


_METHOD = text("method", "Name of the auth method.", metavar="name")
_TYPE = text("type", "Type of the auth method; optional.")
_BEARER_TOKEN_FILE = text("bearer-token-file", "File with the bearer token to exchange.", metavar="path")
_TOKEN_SINK_FILE = text("token-sink-file", "File to store the token in.", metavar="path")
_META = pairs("meta", "Metadata of the token; may be repeated.")
COMMANDS = {
    "login": Command(
        login,
        _METHOD,
        _TYPE,
        _BEARER_TOKEN_FILE,
        _TOKEN_SINK_FILE,
        _META,
    ),
    "logout": Command(logout),
}
