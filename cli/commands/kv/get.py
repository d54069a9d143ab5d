"""`pyconsul kv get`: one value, a tree, or only its keys.

The API: https://developer.hashicorp.com/consul/api-docs/kv#read-key
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyconsul.agent.common.http_answer import quote
from pyconsul.agent.common.options import switch, text
from pyconsul.cli.context import Context
from pyconsul.cli.errors import ApiError, CliError, UsageError, during
from pyconsul.cli.exit_status import Status
from pyconsul.cli.help.command import Command
from pyconsul.cli.output.render import FORMAT, columns, document, format_flag


def key_argument(words: Sequence[str]) -> str:
    """Return the key or prefix among the arguments, without the `/` people like to begin it with; "" without one."""
    if len(words) > 1:
        raise UsageError(f"Too many arguments (expected 1, got {len(words)})")
    return words[0].removeprefix("/") if words else ""


def value_of(entry: dict[str, Any]) -> bytes:
    """Return the value of an entry as in the API, where an empty value is null."""
    from binascii import a2b_base64

    return a2b_base64(entry.get("Value") or "")


def entries_below(context: Context, prefix: str) -> list[dict[str, Any]]:
    """Return the keys below a prefix with their values; the API answers 404 when there are none."""
    response = context.client.request("GET", "/v1/kv/" + quote(prefix), {"recurse": ""})
    found: list[dict[str, Any]] = [] if response.status == 404 else response.checked().rows()
    return found


def get(context: Context) -> None:
    """Print a value or entries. Raises CliError when the key does not exist."""
    args = context.args
    key = key_argument(args.rest)
    if not (key or args[_KEYS] or args[_RECURSE]):
        raise UsageError("Error! Missing KEY argument")
    try:
        if args[_KEYS]:
            _keys(context, key)
        elif args[_RECURSE]:
            _tree(context, key)
        elif args[_DETAILED] or args[FORMAT] != "table":
            _detailed(context, key)
        else:
            _value(context, key)
    except ApiError as error:
        raise during("Error querying Consul agent", error) from None


def _value(context: Context, key: str) -> None:
    response = context.client.request("GET", "/v1/kv/" + quote(key), {"raw": ""})
    if response.status == 404:
        raise _missing(key)
    response.checked()
    context.out(_shown(context, response.body))


def _detailed(context: Context, key: str) -> None:
    response = context.client.request("GET", "/v1/kv/" + quote(key))
    if response.status == 404:
        raise _missing(key)
    entry: dict[str, Any] = dict(response.checked().rows()[0])
    if not document(context, entry):
        _print_details(context, entry)


def _keys(context: Context, prefix: str) -> None:
    query = {"keys": "", "separator": "" if context.args[_RECURSE] else context.args[_SEPARATOR]}
    response = context.client.request("GET", "/v1/kv/" + quote(prefix), query)
    keys: list[str] = [] if response.status == 404 else response.checked().rows()
    if not document(context, keys):
        for key in keys:
            context.out(key)


def _tree(context: Context, prefix: str) -> None:
    entries = entries_below(context, prefix)
    if document(context, entries):
        return
    for position, entry in enumerate(entries):
        if not context.args[_DETAILED]:
            context.out(entry["Key"].encode("utf-8", "surrogateescape") + b":" + _shown(context, value_of(entry)))
            continue
        if position:
            context.out("")
        _print_details(context, entry)


def _print_details(context: Context, entry: dict[str, Any]) -> None:
    names = ("CreateIndex", "Flags", "Key", "LockIndex", "ModifyIndex", "Session")
    rows = [[name, str(entry.get(name) or ("-" if name == "Session" else 0))] for name in names]
    lines = columns([*rows, ["Value", "."]], gap=6)
    for line in lines[:-1]:
        context.out(line)
    context.out(lines[-1][:-1].encode() + _shown(context, value_of(entry)))


def _shown(context: Context, value: bytes) -> bytes:
    if not context.args[_BASE64]:
        return value
    from binascii import b2a_base64

    return b2a_base64(value, newline=False)


def _missing(key: str) -> CliError:
    return CliError(f"Error! No key exists at: {key}", Status.NOT_FOUND)


_BASE64 = switch("base64", "Print values in base64.")
_DETAILED = switch("detailed", "Also print the indexes, flags and session of the key.")
_KEYS = switch("keys", "List the keys below the prefix, without their values; all of them with -recurse.")
_RECURSE = switch("recurse", "Read every key below the prefix.")
_SEPARATOR = text("separator", "With -keys: list a key only up to the first separator after the prefix.", "/")
COMMANDS = {
    "kv get": Command(
        get,
        _BASE64,
        _DETAILED,
        _KEYS,
        _RECURSE,
        _SEPARATOR,
        format_flag(),
        usage="[KEY_OR_PREFIX]",
        about="A single value is printed as it is, with a line break after it.",
    ),
}
