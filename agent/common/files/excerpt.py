"""Names a mistake in a text of HCL or JSON by line and column, with an excerpt that shows no secrets."""

from __future__ import annotations

import re
from typing import NamedTuple

#: Keys whose values may be secrets: an unquoted value is not shown.
SECRET_KEY = re.compile(
    r"token|secret|encrypt|password|key|agent|default|replication|management|recovery", re.IGNORECASE
)
MAX_EXCERPT = 80  # characters
#: A text in quotes; the first group is there when it is a key.
_STRING = re.compile(r'"(?:\\.|[^"\\\n])*(?:"(?=(\s*[:=]))|("|$))', re.MULTILINE)
_SETTING = re.compile(r'([\w.-]+"?\s*[=:]\s*)([^\s"{\[,}]+)')


class Mistake(NamedTuple):
    """`line` and `column` count from 1."""

    line: int
    column: int
    text: str


class SourceLocation(NamedTuple):
    """A place in a text: `line` and `column` count from 1; the excerpt is empty for a blank line."""

    line: int
    column: int
    excerpt: str


def source_location(text: str, position: int) -> SourceLocation:
    """Return the location of a position, with its line as the excerpt."""
    position = min(position, len(text))
    begin = text.rfind("\n", 0, position) + 1
    shown = excerpt(text[begin:].split("\n", 1)[0])
    return SourceLocation(text.count("\n", 0, position) + 1, position - begin + 1, shown)


def mistake(text: str, position: int, words: str) -> Mistake:
    """Return one mistake at a position; its text is the words and the excerpt."""
    found = source_location(text, position)
    return Mistake(found.line, found.column, f"{words}: {found.excerpt}" if found.excerpt else words)


def excerpt(line: str) -> str:
    """Return the beginning of a line. Text between quotes is not shown, since it may be a token."""
    shown = _STRING.sub(lambda match: match[0] if match[1] or match[0] == '""' else '"…' + match[2], line).strip()
    shown = _SETTING.sub(lambda match: match[1] + "…" if SECRET_KEY.search(match[1]) else match[0], shown)
    return shown[:MAX_EXCERPT] + "…" if len(shown) > MAX_EXCERPT else shown
