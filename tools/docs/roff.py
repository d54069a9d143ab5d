"""A man page out of sections: pure. The macros: man(7)."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

#: Day of the release the pages belong to; `mandoc` wants one, and pages made twice must be the same.
DATE = "2026-11-23"

#: A tagged paragraph: its tag, and what it says.
Entry = tuple[str, str]


@dataclass(frozen=True)
class Section:
    """A title, then paragraphs, tagged entries, and literal lines; whichever are there, in this order."""

    title: str
    paragraphs: Sequence[str] = ()
    entries: Sequence[Entry] = ()
    literal: Sequence[str] = ()


@dataclass(frozen=True)
class Page:
    """One page of section `number`. `synopsis` is the line after the program's name.

    `see` names other pages, of section 1 unless it is written behind the name: `pyconsul-agent-config(5)`.
    """

    name: str
    summary: str
    command: str
    synopsis: str
    sections: Sequence[Section] = ()
    see: Sequence[str] = field(default=())
    number: int = 1


def page_text(page: Page, source: str) -> str:
    """Return the page's source; `source` is the program and its version, for the footer."""
    lines = [
        '.\\" Made by `python -m pyconsul.tools.docs`; do not edit.',
        f'.TH {page.name.upper()} {page.number} "{DATE}" "{source}" "pyconsul"',
        ".SH NAME",
        *_wrapped(f"{escaped(page.name)} \\- {escaped(page.summary)}"),
        ".SH SYNOPSIS",
        f".B {escaped(page.command)}",
        *_lines(page.synopsis),
    ]
    for section in page.sections:
        lines += _section(section)
    if page.see:
        lines.append(".SH SEE ALSO")
        lines += [
            f".BR {_reference(name)}{',' if position < len(page.see) else ''}"
            for position, name in enumerate(page.see, 1)
        ]
    return "\n".join(lines) + "\n"


def _reference(name: str) -> str:
    page, bracket, number = name.partition("(")
    return f"{escaped(page)} ({number if bracket else '1)'}"


def _section(section: Section) -> Iterable[str]:
    lines = [f'.SH "{escaped(section.title)}"' if " " in section.title else f".SH {section.title}"]
    for position, paragraph in enumerate(section.paragraphs):
        lines += [".PP"] * (position > 0) + _lines(paragraph)
    for tag, text in section.entries:
        lines += [".TP", f"\\fB{escaped(tag)}\\fR", *_lines(text)]
    if section.literal:
        lines += [".PP"] * bool(section.paragraphs or section.entries)
        lines += [".nf", *map(_literal, section.literal), ".fi"]
    return lines


def _lines(text: str) -> list[str]:
    """Return a text as lines that no macro is seen in: short, none blank, each sentence beginning its own, as man(7) asks."""
    sentences = " ".join(text.split()).replace(". ", ".\n").split("\n") if text.strip() else []
    made = [line for sentence in sentences for line in _wrapped(escaped(sentence))]
    return [f"\\&{line}" if line[:1] in ".'" else line for line in made]


def _literal(line: str) -> str:
    """Return a line as it is; a line that looks like a macro, or is blank, is protected."""
    return f"\\&{escaped(line)}" if line[:1] in (".", "'", "") else escaped(line)


def _wrapped(line: str) -> list[str]:
    return textwrap.wrap(line, 78, break_long_words=False, break_on_hyphens=False)


def escaped(text: str) -> str:
    """Backslashes and dashes as they are meant to be copied; what is not ASCII as groff and mandoc both take it."""
    plain = text.replace("\\", "\\e").replace("-", "\\-").replace("…", "...")
    return "".join(letter if letter.isascii() else f"\\[u{ord(letter):04X}]" for letter in plain)
