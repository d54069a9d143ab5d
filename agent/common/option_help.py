"""Help texts of all programs, in one layout: a usage line, paragraphs, and lists in two columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from pyconsul.agent.common.go_durations import format_go_duration_s
from pyconsul.agent.common.options import Option

#: The widest first column; a longer name has a line to itself.
_MAX_NAME = 26
_MIN_WIDTH, _MAX_WIDTH = 50, 110

Row = tuple[str, str]


def terminal_width() -> int:
    """Return the columns that help may use: those of the terminal, within limits."""
    import shutil

    return max(min(shutil.get_terminal_size().columns, _MAX_WIDTH) - 2, _MIN_WIDTH)


def option_rows(options: Iterable[Option[Any]], *, aliases: bool = False) -> list[Row]:
    """Return name and text of each option that is shown: `-name=<value>`, its help and its default."""
    return [_row(option, aliases) for option in options if option.flags and not option.hidden]


def _row(option: Option[Any], aliases: bool) -> Row:
    value = "" if option.kind.is_switch else f"={'|'.join(option.choices) or f'<{option.metavar}>'}"
    names = ", ".join(f"-{flag}" for flag in (option.flags if aliases else option.flags[:1]))
    return names + value, option_text(option)


def option_text(option: Option[Any]) -> str:
    """Return the help of an option as sentences, its default included."""
    sentence = option.help if option.help.endswith(".") else option.help + "."
    shown = _shown(option)
    return f"{sentence} The default is {shown}." if shown and "default" not in option.help.lower() else sentence


def _shown(option: Option[Any]) -> str:
    """The default, as a user would write it; empty when there is none to speak of."""
    value = option.default
    if value is None or value is False or value == 0 or value in ("", [], (), {}, (0.0, 0.0)):
        return ""
    if value is True:
        return "true"
    if isinstance(value, float):
        text = format_go_duration_s(value)
        text = text.removesuffix("0s") if text.endswith("m0s") else text
        return text.removesuffix("0m") if text.endswith("h0m") else text
    return str(getattr(value, "name", value))


def render_help(
    usage: str, about: str = "", lists: Sequence[tuple[str, Sequence[Row]]] = (), width: int | None = None
) -> str:
    """Return a help text: `Usage: …`, the paragraphs of `about`, and the lists. Indented paragraphs stay as they are."""
    width = width or terminal_width()
    lines = textwrap.wrap(f"Usage: {usage}", width, subsequent_indent=" " * 7, break_on_hyphens=False)
    for paragraph in about.strip().split("\n\n") if about.strip() else ():
        if paragraph.startswith(" "):
            lines += ["", *(f"  {line}" for line in paragraph.split("\n"))]
        else:
            lines += ["", *textwrap.wrap(paragraph, width, initial_indent="  ", subsequent_indent="  ")]
    return "\n".join(lines) + "\n" + render_lists(lists, width)


def render_lists(lists: Sequence[tuple[str, Sequence[Row]]], width: int | None = None) -> str:
    """Return each list with its title and an empty line before it; empty lists are left out."""
    width = width or terminal_width()
    return "".join("\n".join(["", f"{title}:", *_columns(rows, width), ""]) for title, rows in lists if rows)


def _columns(rows: Sequence[Row], width: int) -> list[str]:
    first = min(max(len(name) for name, _ in rows), _MAX_NAME) + 2
    lines: list[str] = []
    for name, text in rows:
        wrapped = textwrap.wrap(text, max(width - first - 2, 10), break_long_words=False, break_on_hyphens=False)
        if len(name) > first - 2:
            lines.append(f"  {name}")
        else:
            lines.append(f"  {name:<{first}}{wrapped.pop(0) if wrapped else ''}".rstrip())
        lines += [" " * (first + 2) + line for line in wrapped]
    return lines
