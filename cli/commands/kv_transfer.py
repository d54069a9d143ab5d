"""`pyconsul kv export` and `kv import`: a tree as a JSON list of {key, flags, value}, the values in base64."""

from __future__ import annotations

from typing import Any

from pyconsul.cli.client import quote
from pyconsul.cli.command import Command
from pyconsul.cli.commands.kv_get import entries_below, key_argument
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, UsageError, during
from pyconsul.cli.flag import text


def export(context: Context) -> None:
    """Print everything below a prefix; nothing found is an empty list."""
    import json

    entries = entries_below(context, key_argument(context.args.rest))
    rows = [{"key": e["Key"], "flags": e["Flags"], "value": e.get("Value") or ""} for e in entries]
    context.out(json.dumps(rows, indent="\t", ensure_ascii=False))


def import_(context: Context) -> None:
    """Write what was exported, all of it or, where the agent refuses a key, what comes before that key."""
    words = context.args.rest
    if len(words) != 1:
        raise UsageError(f"Error! Expected one DATA argument, got {len(words)}")
    if not words[0]:
        raise UsageError("Error! Empty DATA argument")
    prefix = context.args.text("prefix")
    for key, flags, value in read_export(context.read_source(words[0])):
        query = {"flags": str(flags)} if flags else {}
        try:
            context.client.request("PUT", "/v1/kv/" + quote(prefix + key), query, value).checked()
        except CliError as error:
            raise during(f"Error! Failed writing data for key {prefix}{key}", error) from None
        context.out(f"Imported: {prefix}{key}")


def read_export(data: bytes) -> list[tuple[str, int, bytes]]:
    """Keys, flags and values; everything is checked before anything is written."""
    import json

    try:
        rows = json.loads(data)
    except ValueError as error:
        raise CliError(f"Cannot unmarshal data: {error}") from None
    if not isinstance(rows, list):
        raise CliError("Cannot unmarshal data: expected a list of objects with key, flags and value")
    return [_entry(row, number) for number, row in enumerate(rows, 1)]


def _entry(row: Any, number: int) -> tuple[str, int, bytes]:
    from binascii import Error, a2b_base64

    fields = {str(name).lower(): value for name, value in row.items()} if isinstance(row, dict) else {}
    key, flags, value = fields.get("key"), fields.get("flags") or 0, fields.get("value") or ""
    if not isinstance(key, str) or not key or key.startswith("/"):
        raise CliError(f"Cannot unmarshal data: entry {number} needs a key, which must not begin with a '/'")
    if not isinstance(flags, int) or isinstance(flags, bool) or not isinstance(value, str):
        raise CliError(f"Cannot unmarshal data: the flags of {key} must be a number and its value a base64 text")
    try:
        return key, flags, a2b_base64(value, strict_mode=True)
    except (Error, ValueError) as error:
        raise CliError(f"Error base 64 decoding value for key {key}: {error}") from None


COMMANDS = {
    "kv export": Command(export, usage="[KEY_OR_PREFIX]"),
    "kv import": Command(
        import_,
        text("prefix", "Put this in front of every key."),
        usage="DATA",
        about="DATA is JSON, @path for a file, or - for standard input.",
    ),
}
