"""Finds where a setting stands in a text of HCL or JSON, for messages about its value.  The text is valid."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pyconsul.agent.common.files.excerpt import MAX_EXCERPT, SourceLocation, excerpt, source_location

_TOKEN = re.compile(
    r"""(?P<blank>\s+|\#[^\n]*|//[^\n]*|/\*.*?\*/)
      |(?P<value><<-?[ \t]*(?P<tag>[\w.-]+)\r?\n(?:.*?\n)?[ \t]*(?P=tag)(?![\w.-]))
      |(?P<word>"(?:\\.|[^"\\])*"|[^\s{}\[\]=:,"]+)
      |(?P<mark>[{}\[\]=:,])""",
    re.VERBOSE | re.DOTALL,
)
_INDEX = re.compile(r"\[\d+\]")


class _Token(NamedTuple):
    """A piece of the text: `kind` is "word" (keys, too), "value" or "mark"."""

    kind: str
    text: str
    start: int


class _Frame:
    """An open object or list."""

    __slots__ = ("_count", "is_list", "path")

    def __init__(self, path: str, is_list: bool) -> None:
        self.path, self.is_list, self._count = path, is_list, 0

    def child(self, name: str) -> str:
        """Return the path of a key of this object."""
        return f"{self.path}.{name}" if self.path else name

    def next_item(self) -> None:
        """Count a list item that is complete."""
        self._count += 1

    def item(self) -> str:
        """Return the path of the present list item, or of the object itself."""
        return f"{self.path}[{self._count}]" if self.is_list else self.path


def locate(text: str, key: str) -> SourceLocation | None:
    """Return the location of a setting, as `position_of` finds it. The excerpt of a long line begins at the setting."""
    position = position_of(text, key)
    if position is None:
        return None
    location = source_location(text, position)
    if location.column <= MAX_EXCERPT:
        return location
    # A key is never within quotes, so the excerpt still knows which text is quoted.
    return location._replace(excerpt="…" + excerpt(text[position:].split("\n", 1)[0]))


def position_of(text: str, key: str) -> int | None:
    """Return the position of a setting such as `ports.http` or `services[1].port`; None when it is not certain.

    The number counts the items of a list, or the blocks of one name.
    """
    found = list(_keys(list(_tokens(text))))
    wanted = key.lower()
    plain = _INDEX.sub("", wanted)
    exact = [position for path, position in found if path == wanted] if plain != wanted else []
    matching = exact or [position for path, position in found if _INDEX.sub("", path) == plain]
    return matching[0] if len(matching) == 1 else None


def _tokens(text: str) -> Iterator[_Token]:
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup if match.lastgroup != "tag" else "value"
        if kind is not None and kind != "blank":
            yield _Token(kind, match[0], match.start())


def _keys(tokens: Sequence[_Token]) -> Iterator[tuple[str, int]]:
    """Return the path of each key in lower case, and its position."""
    frames = [_Frame("", is_list=False)]
    blocks: dict[str, int] = {}
    at = 0
    while at < len(tokens):
        token, frame = tokens[at], frames[-1]
        at += 1
        if token.text in ("{", "["):
            frames.append(_Frame(frame.item(), token.text == "["))
        elif token.text in ("}", "]"):
            if len(frames) > 1:
                frames.pop()
        elif token.text == ",":
            frame.next_item()
        elif token.kind == "word" and not frame.is_list:
            path = frame.child(token.text.strip('"').lower())
            yield path, token.start
            is_block = at < len(tokens) and tokens[at].text not in ("=", ":")
            at = _behind_key(tokens, at)
            if at < len(tokens) and tokens[at].text in ("{", "["):
                if is_block:
                    number = blocks[path] = blocks.get(path, -1) + 1
                    path = f"{path}[{number}]"
                frames.append(_Frame(path, tokens[at].text == "["))
            at += 1


def _behind_key(tokens: Sequence[_Token], at: int) -> int:
    """Return the index of a key's value: behind `=` or `:`, or behind the labels of a block."""
    if at < len(tokens) and tokens[at].text in ("=", ":"):
        return at + 1
    while at < len(tokens) and tokens[at].kind == "word":
        at += 1
    return at
