"""Help texts of all programs, in one layout: a usage line, paragraphs, and lists in two columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from pyconsul.agent.common.go.durations import format_go_duration_s
from pyconsul.agent.common.options import Option

if TYPE_CHECKING:
    from click import HelpFormatter

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
    """Return the default, as a user would write it; empty for a zero value."""
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
    formatter = _formatter(width)
    program, _, arguments = usage.partition(" ")
    formatter.write_usage(program, arguments)
    with formatter.indentation():
        for paragraph in about.strip().split("\n\n") if about.strip() else ():
            formatter.write_paragraph()
            formatter.write_text(f"\b\n{paragraph}" if paragraph.startswith(" ") else paragraph)
    return formatter.getvalue() + render_lists(lists, width)


def render_lists(lists: Sequence[tuple[str, Sequence[Row]]], width: int | None = None) -> str:
    """Return each list with its title and an empty line before it; empty lists are left out."""
    formatter = _formatter(width)
    for title, rows in lists:
        if rows:
            formatter.write("\n")
            formatter.write_heading(title)
            with formatter.indentation():
                formatter.write_dl(rows, col_max=_MAX_NAME)
    return "".join(line.rstrip() + "\n" for line in formatter.getvalue().splitlines())


def _formatter(width: int | None) -> HelpFormatter:
    from click import HelpFormatter

    return HelpFormatter(width=width or terminal_width())
