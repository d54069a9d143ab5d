"""`pyconsul kv tree`: the keys below a prefix as a tree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pyconsul.agent.common.options import switch
from pyconsul.cli.commands.kv.get import entries_below, key_argument, value_of
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError
from pyconsul.cli.exit_status import Status
from pyconsul.cli.help.command import Command
from pyconsul.cli.output.render import document, format_flag
from pyconsul.cli.output.utf8_locale import draws_utf8

#: Characters of a value that -values shows.
_SHOWN = 60
#: A name between slashes: the names below it, and the entry with exactly this key.
Branch = dict[str, Any]


class Drawing(NamedTuple):
    """The lines of a tree."""

    branch: str
    last: str
    line: str


_UTF8, _ASCII = Drawing("├── ", "└── ", "│   "), Drawing("|-- ", "`-- ", "|   ")
_ENTRY = "/"  # no name between slashes is one


def tree(context: Context) -> None:
    """Print the tree. Raises CliError when there are no keys."""
    prefix = key_argument(context.args.rest)
    entries = entries_below(context, prefix)
    if not entries:
        raise CliError(f"Error! No key exists below: {prefix}", Status.NOT_FOUND)
    values = context.args[_VALUES]
    if document(context, entries if values else [entry["Key"] for entry in entries]):
        return
    root: Branch = {}
    folder = prefix[: prefix.rfind("/") + 1]
    for entry in entries:
        branch = root
        for name in entry["Key"].removeprefix(folder).split("/"):
            branch = branch.setdefault(name, {})
        branch[_ENTRY] = entry
    context.out(folder or "/")
    for line in _lines(root, "", _UTF8 if draws_utf8(context.environ) else _ASCII, values=values):
        context.out(line)


def _lines(branch: Mapping[str, Any], indent: str, drawing: Drawing, *, values: bool) -> Iterator[str]:
    names = sorted(name for name in branch if name not in (_ENTRY, ""))
    for name in names:
        below = branch[name]
        last = name == names[-1]
        folder = any(other != _ENTRY for other in below)
        entry = below.get(_ENTRY) or below.get("", {}).get(_ENTRY)
        shown = f" = {_shown(entry)}" if values and entry else ""
        yield f"{indent}{drawing.last if last else drawing.branch}{name}{'/' if folder else ''}{shown}"
        yield from _lines(below, indent + ("    " if last else drawing.line), drawing, values=values)


def _shown(entry: dict[str, Any]) -> str:
    value = value_of(entry)
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return f"<{len(value)} bytes>"
    first = text.partition("\n")[0]
    if not first.isprintable():
        return f"<{len(value)} bytes>"
    return first if len(first) <= _SHOWN and first == text.rstrip("\n") else f"{first[:_SHOWN]}…"


_VALUES = switch("values", "Also show the beginning of each value.")
COMMANDS = {"kv tree": Command(tree, _VALUES, format_flag(), usage="[PREFIX]")}
