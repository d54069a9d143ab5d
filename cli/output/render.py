"""Lists and objects for people and for programs: aligned columns, rich's tables on a terminal, JSON, YAML.

In a pipe a table is what Consul prints: columns two blanks apart, nothing else, so that scripts which cut it keep
working. NO_COLOR (https://no-color.org) takes the colours away on a terminal, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pyconsul.agent.common.options import Option, text
from pyconsul.cli.context import Context
from pyconsul.cli.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table

_FORMATS = ("table", "json", "yaml")


def format_flag(*more: str) -> Option[str]:
    """Return the flag `-format`; `more` are words that mean the table as well, as Consul's `pretty` does."""
    return text("format", "Output format.", (more or _FORMATS)[0], metavar="format", choices=(*more, *_FORMATS))


#: For reading it; commands that allow more words declare their own.
FORMAT = format_flag()


def check_format(context: Context) -> str:
    """Return the wanted format. Raises UsageError for an unknown one."""
    wanted = context.args[FORMAT] or "table"
    return wanted if wanted in ("json", "yaml") else "table"


def document(context: Context, data: Any) -> bool:
    """Print `data` as JSON or YAML if that is wanted; False means that the caller prints it for people."""
    wanted = check_format(context)
    if wanted == "table":
        return False
    context.out(as_yaml(data).rstrip("\n") if wanted == "yaml" else as_json(data))
    return True


def confirm(context: Context, line: str | bytes, data: dict[str, Any]) -> None:
    """Print that something was done: a line for people, or its data as JSON or YAML if that is wanted."""
    if not document(context, data):
        context.out(line)


class Report:
    """Reports several finished items: lines for people at once, or one list at the end.

    The list is also printed when an error ends the work, with the items before it.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._wanted = check_format(context)
        self._done: list[dict[str, Any]] = []

    def __enter__(self) -> Report:
        return self

    def __exit__(self, *error: object) -> None:
        document(self._context, self._done)

    def add(self, line: str | bytes, data: dict[str, Any]) -> None:
        """Report a finished item."""
        if self._wanted == "table":
            self._context.out(line)
        else:
            self._done.append(data)


def streamed(context: Context, line: str | bytes, data: Any) -> None:
    """Print one item of an endless series: a line for people, a line of JSON, or a document of YAML."""
    wanted = check_format(context)
    if wanted == "yaml":
        line = "---\n" + as_yaml(data).rstrip("\n")
    elif wanted == "json":
        import json

        line = json.dumps(data, ensure_ascii=False)
    context.out(line)
    context.stdout.flush()


def as_json(data: Any) -> str:
    """JSON with an indent of four, as Consul's commands print it."""
    import json

    return json.dumps(data, indent=4, ensure_ascii=False)


def as_yaml(data: Any) -> str:
    """YAML with the keys in their order."""
    import yaml

    return str(yaml.safe_dump(data, sort_keys=False, allow_unicode=True))


def rows_of(data: Any) -> tuple[list[str], list[list[str]]]:
    """Return a response of the API as headers and rows: a row for each object of a list, or for each field of an object."""
    if isinstance(data, list) and data and all(isinstance(one, dict) for one in data):
        headers = [*dict.fromkeys(name for one in data for name in one)]
        return headers, [[_cell(one.get(name)) for name in headers] for one in data]
    if isinstance(data, list):
        return ["Value"], [[_cell(one)] for one in data]
    if isinstance(data, dict):
        return ["Name", "Value"], [[name, _cell(value)] for name, value in data.items()]
    return ["Value"], [[_cell(data)]] if data is not None else []


def _cell(value: Any) -> str:
    import json

    if value in (None, "", [], {}):
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def table(context: Context, headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows below headers. On a terminal the headers stand out, and long cells wrap."""
    cells = [[str(cell) for cell in row] for row in rows]
    if context.tty and context.environ.get("TERM") != "dumb":  # `on_terminal`, without the import of its module
        _terminal_table(context, headers, cells)
        return
    for line in columns([list(headers), *cells] if headers else cells):
        context.out(line)


_COLORS = {b"+": b"32", b"-": b"31", b"~": b"33", b"@": b"36"}


def colored(context: Context, lines: Sequence[bytes]) -> Sequence[bytes]:
    """Color the lines of a difference on a terminal: added ones green, removed ones red."""
    if not colors(context):
        return lines
    return [b"\x1b[" + color + b"m" + line + b"\x1b[0m" if (color := _COLORS.get(line[:1])) else line for line in lines]


def colors(context: Context) -> bool:
    """Return whether standard output is a terminal that shows colors, and NO_COLOR is not set."""
    return context.tty and context.environ.get("TERM") != "dumb" and not context.environ.get("NO_COLOR")


def columns(rows: Sequence[Sequence[str]], gap: int = 2) -> list[str]:
    """Return the rows as lines, each column as wide as its widest cell and `gap` blanks from the next; none at the end."""
    widths = [
        max((cell_width(row[i]) for row in rows if i < len(row)), default=0)
        for i in range(max(map(len, rows), default=0))
    ]
    blanks = " " * gap
    return [
        blanks.join(cell + " " * (width - cell_width(cell)) for cell, width in zip(row, widths, strict=False)).rstrip()
        for row in rows
    ]


def cell_width(text: str) -> int:
    """Columns of a terminal that a text takes: two for each wide character, none for accents that combine."""
    if text.isascii():
        return len(text)
    from unicodedata import category, east_asian_width

    return sum(
        0 if category(letter) in ("Mn", "Me", "Cf") else 2 if east_asian_width(letter) in "WF" else 1 for letter in text
    )


#: Longer words may be broken; IDs, names and addresses are shorter.
_LONGEST_WORD = 64


def new_table(environ: Mapping[str, str], headers: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[Table, int]:
    """Return a table of rich without its rows, and the width that it needs so that no ID or address is broken."""
    from rich.box import SIMPLE_HEAD, Box
    from rich.table import Table

    from pyconsul.cli.output.utf8_locale import draws_utf8

    ascii_head = Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)
    box = SIMPLE_HEAD if draws_utf8(environ) else ascii_head
    shown = Table(box=box, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    needed = 0
    for position, header in enumerate(headers):
        cells = [row[position] for row in rows]
        words = [word for cell in (header, *cells) for word in cell.split()]
        least = min(max(map(cell_width, words), default=0), _LONGEST_WORD)
        # Lines break between words only, and nothing is cut off: addresses and IDs get copied.
        shown.add_column(header, overflow="fold", min_width=least)
        needed += least + 3
    return shown, needed


def _terminal_table(context: Context, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.text import Text

    from pyconsul.cli.output.terminal import console

    shown, needed = new_table(context.environ, headers, rows)
    for row in rows:
        shown.add_row(*(Text(cell) for cell in row))
    with console(context) as screen:
        screen.width = max(screen.width, needed)
        screen.print(shown)


def details(context: Context, pairs: Sequence[tuple[str, object]], indent: int = 0) -> None:
    """Print `Name:  value` lines with aligned values."""
    width = max((len(name) for name, _ in pairs), default=0) + 1
    for name, value in pairs:
        context.out(f"{' ' * indent}{name + ':':<{width}}  {value}".rstrip())


def unknown_format(name: str, allowed: Sequence[str]) -> UsageError:
    """Return the error about a format, for commands with their own formats."""
    return UsageError(f"unknown format {name!r}: use one of {', '.join(allowed)}")
