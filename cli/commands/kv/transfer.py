"""`pyconsul kv export` and `kv import`: a tree as a JSON list of {key, flags, value}, the values in base64.

Neither holds the tree: an export passes on what the agent sends, an import reads its file twice, once to check it
and once to write it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pyconsul.agent.common.http_answer import quote
from pyconsul.agent.common.options import text
from pyconsul.cli.commands.kv.get import key_argument
from pyconsul.cli.context import Context
from pyconsul.cli.errors import ApiError, CliError, UsageError
from pyconsul.cli.help.command import Command
from pyconsul.cli.kv.batch import Row, Writer
from pyconsul.cli.kv.json_stream import Malformed, items
from pyconsul.cli.kv.rereadable import Source
from pyconsul.cli.output.progress import Progress
from pyconsul.cli.output.render import as_yaml, check_format, table
from pyconsul.cli.output.terminal import same_terminal

#: Characters that Go's encoder escapes in texts.
_ESCAPED = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


def export(context: Context) -> None:
    """Print everything below a prefix; nothing found is an empty list."""
    wanted = check_format(context)
    prefix = key_argument(context.args.rest)
    response, pieces = context.client.stream("GET", "/v1/kv/" + quote(prefix), {"recurse": ""})
    if response.status not in (200, 404):
        raise ApiError(response.status, b"".join(pieces).decode("utf-8", "replace"))
    size = response.headers.get("content-length", "")
    with Progress(
        context, "Exporting", int(size) if size.isdecimal() else 0, wanted=not same_terminal(context)
    ) as progress:
        entries = items(progress.counted(pieces)) if response.status == 200 else iter(())
        rows = ({"key": e["Key"], "flags": e["Flags"], "value": e.get("Value") or ""} for e in entries)
        try:
            if wanted == "table":
                table(context, ["Key", "Flags", "Value"], [[*row.values()] for row in rows])
            else:
                _print(context, rows, yaml=wanted == "yaml")
        except Malformed as error:
            raise CliError(f"Error! The agent's answer is broken: {error}") from None


def _print(context: Context, rows: Iterator[dict[str, Any]], *, yaml: bool) -> None:
    """Print pairs one after the other, byte for byte like a list that is printed as a whole."""
    from json import JSONEncoder

    def quoted(word: str) -> str:
        return encode(word).translate(_ESCAPED)

    encode = JSONEncoder(ensure_ascii=False).encode
    mark = "["
    for row in rows:
        if yaml:
            context.stdout.write(as_yaml([row]).encode())
        else:
            fields = f'"key": {quoted(row["key"])},\n\t\t"flags": {row["flags"]},\n\t\t"value": "{row["value"]}"'
            context.stdout.write(f"{mark}\n\t{{\n\t\t{fields}\n\t}}".encode("utf-8", "surrogateescape"))
        mark = ","
    if mark == "[":
        context.out("[]")
    elif not yaml:
        context.out("\n]")


def import_(context: Context) -> None:
    """Write an export. Nothing is written when any part of it cannot be read.

    When the agent refuses a key, the keys before it are written.
    """
    words = context.args.rest
    if len(words) != 1:
        raise UsageError(f"Error! Expected one DATA argument, got {len(words)}")
    if not words[0]:
        raise UsageError("Error! Empty DATA argument")
    with Source(context, words[0]) as source:
        _check(context, source)
        _write(context, source)


def _check(context: Context, source: Source) -> None:
    with Progress(context, "Checking", source.size) as progress:
        try:
            for _ in rows_of(progress.counted(source.pieces())):
                pass
        except CliError as error:
            raise CliError(f"{error}; 0 keys were imported") from None


def _write(context: Context, source: Source) -> None:
    wanted, prefix = context.args[_FORMAT], context.args[_PREFIX]
    with Progress(context, "Importing", source.size) as progress:

        def done(rows: list[Row]) -> None:
            progress.lines(_shown(row, wanted) for row in rows)

        writer = Writer(context.client, done)
        try:
            for key, flags, value in rows_of(progress.counted(source.pieces())):
                writer.add((prefix + key, flags, value))
            writer.flush()
        except CliError as error:
            raise CliError(f"{error}\n{writer.written} keys were imported before that.", error.status) from None


def _shown(row: Row, wanted: str) -> str:
    if wanted == "table":
        return f"Imported: {row[0]}"
    import json

    if wanted == "yaml":
        return as_yaml([{"Key": row[0], "Flags": row[1]}]).rstrip("\n")
    return json.dumps({"Key": row[0], "Flags": row[1]}, ensure_ascii=False)


def read_export(data: bytes) -> list[Row]:
    """Keys, flags and values of a whole export. Raises CliError."""
    return list(rows_of([data]))


def rows_of(pieces: Iterable[bytes]) -> Iterator[Row]:
    """Yield keys, flags and values while reading. Raises CliError with the location of a mistake."""
    number, last = 0, ""
    try:
        for number, row in enumerate(items(pieces), 1):
            last, flags, value = _entry(row, number)
            yield last, flags, value
    except Malformed as error:
        after = f", after entry {number} ({last})" if number else ""
        raise CliError(f"Cannot unmarshal data: {error}{after}") from None


def _entry(row: Any, number: int) -> Row:
    from binascii import Error, a2b_base64

    fields = {str(name).lower(): value for name, value in row.items()} if isinstance(row, dict) else {}
    key, flags, value = fields.get("key"), fields.get("flags") or 0, fields.get("value") or ""
    if not isinstance(key, str) or not key or key.startswith("/"):
        raise CliError(f"Cannot unmarshal data: entry {number} needs a key, which must not begin with a '/'")
    if not isinstance(flags, int) or isinstance(flags, bool) or not 0 <= flags < 2**64 or not isinstance(value, str):
        raise CliError(
            f"Cannot unmarshal data: the flags of entry {number} ({key}) must be a number and its value a base64 text"
        )
    try:
        return key, flags, a2b_base64(value, strict_mode=True)
    except (Error, ValueError) as error:
        raise CliError(f"Error base 64 decoding value for key {key} (entry {number}): {error}") from None


_FORMAT = text("format", "Output format.", "json", metavar="format", choices=("json", "yaml", "table"))
_PREFIX = text("prefix", "Prefix for every key.")
_LINE_FORMAT = text(
    "format", "Output format, with one line for each key.", "table", metavar="format", choices=("table", "json", "yaml")
)
COMMANDS = {
    "kv export": Command(
        export,
        _FORMAT,
        usage="[KEY_OR_PREFIX]",
        about="However many keys there are, they are printed as they come: only a table is held in memory.",
    ),
    "kv import": Command(
        import_,
        _PREFIX,
        _LINE_FORMAT,
        usage="DATA",
        about="DATA is JSON, @path for a file, or - for standard input. All of it is checked before anything is "
        "written; the keys are written in their order, in transactions.",
    ),
}
