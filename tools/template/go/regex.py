"""Regular expressions in Go's syntax (RE2), run by Python's `re`.

Syntax: https://github.com/google/re2/wiki/Syntax. What RE2 does not know (look-around, back references, possessive
quantifiers …) is an error here, too; what Python writes differently is translated: flags in the middle of an
expression, `\\z`, `$`, POSIX and Unicode classes, `\\Q…\\E`, `(?<name>…)`. Python's engine backtracks, so an
expression made for it can take very long; RE2's cannot.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any

from pyconsul.tools.template.go.errors import GoError
from pyconsul.tools.template.go.regexsyntax import translate

_REFERENCE = re.compile(r"\$(?:\$|\{([A-Za-z0-9_]+)\}|([A-Za-z0-9_]+))")


@dataclass(frozen=True, slots=True)
class Regex:
    """A compiled expression; `names` holds a name or "" for each group, from 1 on (a name may be there twice)."""

    pattern: re.Pattern[str]
    names: Sequence[str]

    def search(self, text: str) -> re.Match[str] | None:
        """The first match."""
        return self.pattern.search(text)

    def matches(self, text: str, limit: int = -1) -> Iterator[re.Match[str]]:
        """Matches that do not overlap, at most `limit` if not negative; no empty one at the end of the one before."""
        at, end, count = 0, -1, 0
        while at <= len(text) and count != limit:
            match = self.pattern.search(text, at)
            if match is None:
                return
            at = match.end() if match.end() > at else at + 1
            if match.end() > match.start() or match.start() != end:
                count += 1
                yield match
            end = match.end()

    def expand(self, replacement: str, match: re.Match[str]) -> str:
        """A replacement with its groups filled in; groups that are not there are empty."""

        def group(reference: re.Match[str]) -> str:
            name = reference.group(1) or reference.group(2)
            if name is None:
                return "$"
            if name.isdigit():
                return (match.group(int(name)) or "") if int(name) <= len(self.names) else ""
            found = (match.group(i) for i, known in enumerate(self.names, 1) if known == name)
            return next((text for text in found if text is not None), "")

        return _REFERENCE.sub(group, replacement)


@lru_cache(maxsize=512)
def compile_regex(pattern: str) -> Regex:
    """The expression, compiled. Raises GoError that names what is wrong."""
    translated, names = translate(pattern)
    engine: Any = re
    if r"\p{" in translated or r"\P{" in translated:
        engine = import_module("regex")  # Python's own module has no Unicode classes
    try:
        compiled: re.Pattern[str] = engine.compile(translated)
    except (engine.error, re.error, OverflowError, RecursionError) as error:
        raise GoError(f"error parsing regexp: {error}: `{pattern}`") from None
    return Regex(compiled, names)


def replace_all(pattern: str, replacement: str, text: str) -> str:
    """Each match replaced; `$1`, `${1}` and `${name}` stand for groups, `$$` for a dollar sign."""
    if "$" not in replacement:
        return replace_with(pattern, lambda match: replacement, text)
    return replace_with(pattern, lambda match: compile_regex(pattern).expand(replacement, match), text)


def replace_with(pattern: str, make: Callable[[re.Match[str]], str], text: str) -> str:
    """Each match replaced by what `make` gives for it."""
    parts: list[str] = []
    at = 0
    for match in compile_regex(pattern).matches(text):
        parts += (text[at : match.start()], make(match))
        at = match.end()
    return "".join((*parts, text[at:]))


def split(pattern: str, text: str, limit: int) -> list[str]:
    """The parts between matches, at most `limit` (negative: all, 0: none)."""
    if limit == 0:
        return []
    compiled = compile_regex(pattern)
    if pattern and not text:
        return [""]
    parts: list[str] = []
    start = end = 0
    for match in compiled.matches(text, limit):
        if limit > 0 and len(parts) == limit - 1:
            break
        end = match.start()
        if match.end() != 0:
            parts.append(text[start:end])
        start = match.end()
    if end != len(text):
        parts.append(text[start:])
    return parts
