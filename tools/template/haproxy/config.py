"""HAProxy's configuration files, taken apart as far as it takes to see what differs between two of them. Pure.

Sections 2.1 to 2.4 of https://docs.haproxy.org/2.6/configuration.html. Words are kept as they are written, with their
quotes and escapes; only those of `server` lines are decoded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

Words = tuple[str, ...]

#: The sections whose `server` lines make a backend.
BACKENDS = frozenset({"backend", "listen"})
_PROXIES = BACKENDS | {"frontend", "defaults"}
_SECTIONS = _PROXIES | {
    *("acme", "cache", "crt-store", "fcgi-app", "global", "http-errors", "log-forward", "log-profile", "mailers"),
    *("namespace_list", "peers", "program", "resolvers", "ring", "traces", "userlist"),
}
# An unquoted # starts a comment wherever it stands.
_WORD = re.compile(r"""(?:\\.|'[^']*'|"(?:\\.|[^"\\])*"|[^\s\\'"#])+""", re.ASCII)
#: Parts of a word: an escaped character, text in single and in double quotes. Only the last may hold variables.
_ESCAPED = re.compile(r"\\.")
_PART = re.compile(r"""\\.|'[^']*'|"(?:\\.|[^"\\])*["]""")
_BLANKS = re.compile(r"\s*", re.ASCII)
_PIECE = re.compile(r"""\\(?P<escaped>[ #\\'"])|'(?P<strong>[^']*)'|"(?P<weak>[^"\\$]*)"|(?P<bare>[^\\'"])""")


class Unreadable(Exception):
    """A file is not understood here, whatever HAProxy makes of it; the text says why."""


@dataclass(frozen=True)
class Server:
    """A `server` line. `address`, `words` (what follows it): as written. `inherited`: the words of all `default-server`
    lines that hold for it, in order."""

    backend: str
    name: str
    address: str
    words: Words
    inherited: Words

    @property
    def key(self) -> str:
        """The name in commands of the runtime API."""
        return f"{self.backend}/{self.name}"


@dataclass
class Section:
    """`header`: its first line. `base`: the `defaults` that it inherits from. `lines`: all others but `servers`."""

    header: Words
    base: Section | None
    lines: list[Words] = field(default_factory=list)
    servers: list[Server] = field(default_factory=list)
    inherited: Words = ()

    @property
    def kind(self) -> str:
        return self.header[0]

    @property
    def name(self) -> str:
        return self.header[1] if len(self.header) > 1 and self.header[1] != "from" else ""

    @property
    def title(self) -> str:
        """The name in messages."""
        return f"{self.kind} {self.name}".strip()

    def all_lines(self) -> list[Words]:
        """Return the lines that hold for it, those of its `defaults` first."""
        return [*(self.base.all_lines() if self.base else ()), *self.lines]


def parse(texts: Iterable[str]) -> list[Section]:
    """Return the sections of some files, in the order in which HAProxy reads them. Raises Unreadable."""
    sections: list[Section] = []
    for text in texts:
        section = None
        for number, line in enumerate(text.split("\n"), 1):
            words = tokenise(line, number)
            if not words:
                continue
            if words[0].startswith("."):
                raise Unreadable(f"line {number}: {words[0]}: what holds there depends on a condition")
            if words[0] in _SECTIONS:
                section = Section(words, _base_of(words, sections))
                section.inherited = section.base.inherited if section.base else ()
                sections.append(section)
            elif section is None:
                raise Unreadable(f"line {number}: {words[0]} stands outside of a section")
            else:
                _take(section, words, number)
    return sections


def _take(section: Section, words: Words, number: int) -> None:
    if section.kind in BACKENDS and words[0] == "server":
        if len(words) < 3:
            raise Unreadable(f"line {number}: a server without an address")
        names = decode(section.name), decode(words[1])
        section.servers.append(Server(names[0], names[1], words[2], words[3:], section.inherited))
        return
    if section.kind in _PROXIES and words[0] == "default-server":
        section.inherited += words[1:]
    section.lines.append(words)


def _base_of(header: Words, sections: Sequence[Section]) -> Section | None:
    """Return the `defaults` named after `from`; without it the latest ones, which `defaults` themselves do not inherit."""
    known = [section for section in sections if section.kind == "defaults"]
    if header[0] not in _PROXIES:
        return None
    if "from" in header[1:]:
        name = header[header.index("from", 1) + 1 :][:1]
        found = [section for section in known if (section.name,) == name]
        if not found:
            raise Unreadable(f"{' '.join(header)}: there are no such defaults")
        return found[-1]
    return known[-1] if known and header[0] != "defaults" else None


def tokenise(line: str, number: int = 0) -> Words:
    """Return the words of a line, without its comment. Raises Unreadable for an open quote or an escape of nothing."""
    words: list[str] = []
    position = 0
    while True:
        position = _BLANKS.match(line, position).end()  # type: ignore[union-attr]
        if position == len(line) or line[position] == "#":
            return tuple(words)
        word = _WORD.match(line, position)
        if word is None:
            raise Unreadable(f"line {number}: a quote or an escape is not complete")
        expanded = _PART.sub(lambda part: _ESCAPED.sub("", part[0]) if part[0][0] == '"' else "", word[0])
        if "${." in expanded or "$." in expanded:
            raise Unreadable(f"line {number}: {word[0]} depends on where the line stands")
        words.append(word[0])
        position = word.end()


def decode(word: str) -> str:
    """Return a word without its quotes and escapes; as it is if its meaning depends on more than itself."""
    pieces, position = [], 0
    while position < len(word):
        piece = _PIECE.match(word, position)
        if piece is None:
            return word
        pieces.append(next(part for part in piece.groups() if part is not None))
        position = piece.end()
    return "".join(pieces)
