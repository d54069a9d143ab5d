"""Print the result of a watch, or its difference from the previous one."""

from __future__ import annotations

from difflib import unified_diff
from typing import Any

from pyconsul.cli.context import Context
from pyconsul.cli.output.render import as_json, as_yaml, check_format, columns, rows_of, table
from pyconsul.cli.output.terminal import console, on_terminal

_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


def shown(context: Context, data: Any) -> None:
    """Print an answer as `-format` wants it."""
    if check_format(context) == "table":
        table(context, *rows_of(data))
    else:
        for line in _lines(context, data):
            context.out(line)


def _lines(context: Context, data: Any) -> list[str]:
    wanted = check_format(context)
    if wanted == "table":
        headers, rows = rows_of(data)
        return columns([headers, *rows])
    return (as_yaml(data) if wanted == "yaml" else as_json(data)).rstrip("\n").split("\n")


def difference(context: Context, before: Any, after: Any, index: int) -> list[str]:
    """Both answers as `-format` prints them, compared as `diff -u` does; nothing (None) has no lines.

    Values of keys and payloads of events that are text are shown as text.
    """
    old, new = ([] if data is None else _lines(context, decoded(data)) for data in (before, after))
    return [*unified_diff(old, new, "before", f"index {index}", lineterm="")]


def decoded(data: Any) -> Any:
    """Keys or events with their base64 values as text, where they are text; anything else as it is."""
    if isinstance(data, list):
        return [decoded(one) for one in data]
    if not isinstance(data, dict):
        return data
    name = "Value" if "LockIndex" in data else "Payload" if "LTime" in data else ""
    return {**data, name: _text(data[name])} if isinstance(data.get(name), str) else data


def _text(base64: str) -> str:
    from binascii import a2b_base64

    try:
        text = a2b_base64(base64).decode()
    except ValueError:
        return base64
    lines = text.split("\n")
    return "\\n".join(lines) if all(line.isprintable() for line in lines) else base64


def print_difference(context: Context, lines: list[str]) -> None:
    """Print it, on a terminal in colours."""
    if not on_terminal(context):
        for line in lines:
            context.out(line)
        context.stdout.flush()
        return
    from rich.text import Text

    with console(context) as screen:
        for line in lines:
            heading = line.startswith(("--- ", "+++ "))
            screen.print(Text(line, style="bold" if heading else _COLOURS.get(line[:1], "")), soft_wrap=True)
