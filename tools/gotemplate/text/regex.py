"""Regular expressions in Go's dialect, which is RE2's; matching takes time linear to the text.

Syntax: https://github.com/google/re2/wiki/Syntax. Texts are matched as UTF-8, so that bytes that are none survive.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from pyconsul.agent.common.go.regexp_errors import go_text
from pyconsul.agent.common.structs import struct
from pyconsul.tools.gotemplate.errors import GoError
from pyconsul.tools.gotemplate.runtime.values import to_bytes, to_text

_REFERENCE = re.compile(r"\$(?:\$|\{([A-Za-z0-9_]+)\}|([A-Za-z0-9_]+))")


@struct(frozen=True)
class Match:
    """A match of an expression; `start` and `end` are bytes of the text."""

    start: int
    end: int
    found: Any

    def group(self, group: int | str = 0) -> str:
        """Return the text of a group; "" when it took no part or does not exist."""
        try:
            data = self.found[group.encode() if isinstance(group, str) else group]
        except IndexError:
            return ""
        return to_text(data) if data is not None else ""


@struct(frozen=True)
class Regex:
    """A compiled expression with its number of groups."""

    pattern: Any
    groups: int

    def search(self, text: str) -> Match | None:
        """Return the first match."""
        return self._search(to_bytes(text), 0)

    def _search(self, data: bytes, at: int) -> Match | None:
        found = self.pattern.search(data, at)
        return Match(found.start(), found.end(), found) if found is not None else None

    def matches(self, text: str, limit: int = -1) -> Iterator[Match]:
        """Matches that do not overlap, at most `limit` if not negative; no empty one at the end of the one before."""
        return self.matches_in(to_bytes(text), limit)

    def matches_in(self, data: bytes, limit: int = -1) -> Iterator[Match]:
        """Return the matches in UTF-8 as `matches` does."""
        at, end, count = 0, -1, 0
        while at <= len(data) and count != limit:
            match = self._search(data, at)
            if match is None:
                return
            at = match.end if match.end > at else _next_character(data, at)
            if match.end > match.start or match.start != end:
                count += 1
                yield match
            end = match.end


def _next_character(data: bytes, at: int) -> int:
    at += 1
    while at < len(data) and data[at] & 0xC0 == 0x80:
        at += 1
    return at


@lru_cache(maxsize=512)
def compile_regex(pattern: str) -> Regex:
    """Return the expression, compiled. Raises GoError that names what is wrong."""
    import re2  # 10 ms, for templates that match

    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options)
        return Regex(re2.compile(pattern.encode(), options), compiled.groups)
    except (re2.error, UnicodeEncodeError) as error:
        raise GoError(f"error parsing regexp: {go_text(error)}") from None


def expand(replacement: str, match: Match) -> str:
    """Return a replacement with its groups filled in; groups that do not exist are empty."""

    def group(reference: re.Match[str]) -> str:
        name = reference.group(1) or reference.group(2)
        if name is None:
            return "$"
        return match.group(int(name) if name.isdigit() else name)

    return _REFERENCE.sub(group, replacement)


def replace_all(pattern: str, replacement: str, text: str) -> str:
    """Return each match replaced; `$1`, `${1}` and `${name}` stand for groups, `$$` for a dollar sign."""
    if "$" not in replacement:
        return replace_with(pattern, lambda match: replacement, text)
    return replace_with(pattern, lambda match: expand(replacement, match), text)


def replace_with(pattern: str, make: Callable[[Match], str], text: str) -> str:
    """Return each match replaced by what `make` gives for it."""
    data, at = to_bytes(text), 0
    parts: list[bytes] = []
    for match in compile_regex(pattern).matches_in(data):
        parts += (data[at : match.start], to_bytes(make(match)))
        at = match.end
    return to_text(b"".join((*parts, data[at:])))


def split(pattern: str, text: str, limit: int) -> list[str]:
    """Return the parts between matches, at most `limit` (negative: all, 0: none)."""
    if limit == 0:
        return []
    compiled = compile_regex(pattern)
    if pattern and not text:
        return [""]
    data = to_bytes(text)
    parts: list[str] = []
    start = end = 0
    for match in compiled.matches_in(data, limit):
        if limit > 0 and len(parts) == limit - 1:
            break
        end = match.start
        if match.end != 0:
            parts.append(to_text(data[start:end]))
        start = match.end
    if end != len(data):
        parts.append(to_text(data[start:]))
    return parts
