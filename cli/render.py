"""Lists and objects for people and for programs: aligned columns, rich's tables on a terminal, JSON, YAML.

In a pipe a table is what Consul prints: columns two blanks apart, nothing else, so that scripts which cut it keep
working. NO_COLOR (https://no-color.org) takes the colours away on a terminal, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyconsul.cli.context import Context
from pyconsul.cli.errors import UsageError
from pyconsul.cli.flag import Flag, text

_FORMATS = ("table", "json", "yaml")


def format_flag(*more: str) -> Flag:
    """`-format`; `more` are words that mean the table as well, as Consul's `pretty` does."""
    return text("format", "How to print.", (more or _FORMATS)[0], metavar="format", choices=(*more, *_FORMATS))


def check_format(context: Context) -> str:
    """The wanted format. Raises UsageError for an unknown one."""
    wanted = context.args.text("format") or "table"
    return wanted if wanted in ("json", "yaml") else "table"


def document(context: Context, data: Any) -> bool:
    """Print `data` as JSON or YAML if that is wanted; False means that the caller prints it for people."""
    wanted = check_format(context)
    if wanted == "table":
        return False
    context.out(as_yaml(data).rstrip("\n") if wanted == "yaml" else as_json(data))
    return True


def as_json(data: Any) -> str:
    """JSON with an indent of four, as Consul's commands print it."""
    import json

    return json.dumps(data, indent=4, ensure_ascii=False)


def as_yaml(data: Any) -> str:
    """YAML with the keys in their order."""
    import yaml

    return str(yaml.safe_dump(data, sort_keys=False, allow_unicode=True))


def table(context: Context, headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows below headers. On a terminal the headers stand out, and long cells wrap."""
    cells = [[str(cell) for cell in row] for row in rows]
    if context.tty and context.environ.get("TERM") != "dumb":
        _terminal_table(context, headers, cells)
        return
    for line in columns([list(headers), *cells] if headers else cells):
        context.out(line)


def columns(rows: Sequence[Sequence[str]], gap: int = 2) -> list[str]:
    """The rows as lines, each column as wide as its widest cell and `gap` blanks from the next; none at the end."""
    widths = [
        max((len(row[i]) for row in rows if i < len(row)), default=0) for i in range(max(map(len, rows), default=0))
    ]
    blanks = " " * gap
    return [blanks.join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip() for row in rows]


def _terminal_table(context: Context, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    import io

    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    context.stdout.flush()
    stream = io.TextIOWrapper(context.stdout, encoding="utf-8", errors="surrogateescape", write_through=True)
    try:
        shown = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
        for header in headers:
            shown.add_column(header, overflow="fold")  # never cut anything off: addresses and IDs get copied
        for row in rows:
            shown.add_row(*(Text(cell) for cell in row))
        Console(file=stream, force_terminal=True, no_color="NO_COLOR" in context.environ).print(shown)
    finally:
        stream.detach()


def details(context: Context, pairs: Sequence[tuple[str, object]], indent: int = 0) -> None:
    """`Name:  value` lines, the values aligned."""
    width = max((len(name) for name, _ in pairs), default=0) + 1
    for name, value in pairs:
        context.out(f"{' ' * indent}{name + ':':<{width}}  {value}".rstrip())


def unknown_format(name: str, allowed: Sequence[str]) -> UsageError:
    """For commands with formats of their own."""
    return UsageError(f"unknown format {name!r}: use one of {', '.join(allowed)}")
