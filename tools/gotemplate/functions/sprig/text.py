"""Sprig's functions for texts. Source: https://masterminds.github.io/sprig/strings.html"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pyconsul.tools.gotemplate.errors import GoError
from pyconsul.tools.gotemplate.functions.sprig.case import camelcase, kebabcase, snakecase
from pyconsul.tools.gotemplate.functions.sprig.values import text_list, text_of
from pyconsul.tools.gotemplate.functions.texts import SPACES, lower, one_for_one, split_text, upper
from pyconsul.tools.gotemplate.runtime.signature import ANY, Function, function
from pyconsul.tools.gotemplate.runtime.values import Map, Slice, strings, to_bytes, to_text
from pyconsul.tools.gotemplate.syntax.quote import quote
from pyconsul.tools.gotemplate.text.verbs import display

_MAX_REPEAT = 2**28  # characters


def abbreviate(text: str, offset: int, width: int) -> str:
    """Return at most `width` characters from about `offset` on, with `...` for the rest."""
    if len(text) <= width:
        return text
    offset = min(offset, len(text))
    if len(text) - offset < width - 3:
        offset = len(text) - (width - 3)
    if offset <= 4:
        return text[: width - 3] + "..."
    if offset + width - 3 < len(text):
        return "..." + abbreviate(text[offset:], 0, width - 3)
    return "..." + text[-(width - 3) :]


def truncate(count: int, text: str) -> str:
    """Return the first bytes, or with a negative count the last ones."""
    data = to_bytes(text)
    if count < 0:
        return to_text(data[count:]) if len(data) + count > 0 else text
    return to_text(data[:count])


def substring(start: int, end: int, text: str) -> str:
    """Bytes `start` to `end`; a negative bound is no bound."""
    data = to_bytes(text)
    if start < 0:
        return to_text(data[: max(end, 0)])
    if end < 0 or end > len(data):
        return to_text(data[start:])
    if start > end:
        raise GoError(f"runtime error: slice bounds out of range [{start}:{end}]")
    return to_text(data[start:end])


def repeat(count: int, text: str) -> str:
    """Return the text several times."""
    if count < 0:
        raise GoError("strings: negative Repeat count")
    if count * len(text) > _MAX_REPEAT:
        raise GoError("strings: Repeat output length overflow")
    return text * count


def title(text: str) -> str:
    """Return a capital letter at the start of each word; an apostrophe ends a word."""
    return re.sub(r"\w+", lambda match: one_for_one(match.group()[0], str.title) + match.group()[1:], text)


def untitle(text: str) -> str:
    """Return a small letter at the start of each word."""
    return re.sub(r"\S+", lambda match: match.group()[0].lower() + match.group()[1:], text)


def wrap(width: int, newline: str, break_words: bool, text: str) -> str:
    """Return lines of at most `width` characters; longer words get their own line, or are broken."""
    width = max(width, 1)
    lines: list[str] = []
    while len(text) > width:
        if text[0] == " ":
            text = text[1:]
            continue
        end = text.rfind(" ", 0, width + 1)
        if end < 0 and break_words:
            lines.append(text[:width])
            text = text[width:]
            continue
        if end < 0:
            end = text.find(" ", width)
        if end < 0:
            break
        lines.append(text[:end])
        text = text[end + 1 :]
    return newline.join([*lines, text])


def indent(width: int, text: str) -> str:
    """Blanks before each line, also before empty ones."""
    pad = " " * width
    return pad + text.replace("\n", "\n" + pad)


def split_map(separator: str, text: str, limit: int = -1) -> Map:
    """Return the parts under the names `_0`, `_1` …"""
    parts = split_text(text, separator, limit)
    return Map("map[string]string", {f"_{i}": part for i, part in enumerate(parts)})


def plural(one: str, many: str, count: int) -> str:
    """Return the word for one or for many."""
    return one if count == 1 else many


def sort_alpha(items: Any) -> Slice:
    """Return the items as texts, sorted."""
    return strings(sorted(text_list(items)))


def _given(values: tuple[Any, ...]) -> list[Any]:
    return [value for value in values if value is not None]


_TEXT = ("string",)
_TWO = ("string", "string")
_SWITCHED_TRIM = function(lambda characters, text: text.strip(characters) if characters else text, *_TWO)

FUNCTIONS: Mapping[str, Function] = {
    "abbrev": function(lambda width, text: text if width < 4 else abbreviate(text, 0, width), "int", "string"),
    "abbrevboth": function(
        lambda left, right, text: text if right < 4 or (left > 0 and right < 7) else abbreviate(text, left, right),
        "int",
        "int",
        "string",
    ),
    "camelcase": function(camelcase, *_TEXT),
    "cat": function(lambda *values: " ".join(display(value) for value in _given(values)), "..." + ANY),
    "contains": function(lambda part, text: part in text, *_TWO),
    "hasPrefix": function(lambda prefix, text: text.startswith(prefix), *_TWO),
    "hasSuffix": function(lambda suffix, text: text.endswith(suffix), *_TWO),
    "hello": function(lambda: "Hello!"),
    "indent": function(indent, "int", "string"),
    "initials": function(lambda text: "".join(word[0] for word in text.split()), *_TEXT),
    "join": function(lambda separator, items: separator.join(text_list(items)), "string", ANY),
    "kebabcase": function(kebabcase, *_TEXT),
    "lower": function(lower, *_TEXT),
    "nindent": function(lambda width, text: "\n" + indent(width, text), "int", "string"),
    "nospace": function(lambda text: "".join(text.split()), *_TEXT),
    "plural": function(plural, "string", "string", "int"),
    "quote": function(lambda *values: " ".join(quote(text_of(value)) for value in _given(values)), "..." + ANY),
    "repeat": function(repeat, "int", "string"),
    "replace": function(lambda old, new, text: text.replace(old, new), "string", "string", "string"),
    "snakecase": function(snakecase, *_TEXT),
    "sortAlpha": function(sort_alpha, ANY),
    "split": function(split_map, *_TWO),
    "splitList": function(lambda separator, text: strings(split_text(text, separator)), *_TWO),
    "splitn": function(lambda separator, limit, text: split_map(separator, text, limit), "string", "int", "string"),
    "squote": function(lambda *values: " ".join(f"'{display(value)}'" for value in _given(values)), "..." + ANY),
    "substr": function(substring, "int", "int", "string"),
    "swapcase": function(lambda text: text.swapcase(), *_TEXT),
    "title": function(title, *_TEXT),
    "toString": function(text_of, ANY),
    "toStrings": function(lambda items: strings(text_list(items)), ANY),
    "trim": function(lambda text: text.strip(SPACES), *_TEXT),
    "trimAll": _SWITCHED_TRIM,
    "trimall": _SWITCHED_TRIM,
    "trimPrefix": function(lambda prefix, text: text.removeprefix(prefix), *_TWO),
    "trimSuffix": function(lambda suffix, text: text.removesuffix(suffix), *_TWO),
    "trunc": function(truncate, "int", "string"),
    "untitle": function(untitle, *_TEXT),
    "upper": function(upper, *_TEXT),
    "wrap": function(lambda width, text: wrap(width, "\n", False, text), "int", "string"),
    "wrapWith": function(
        lambda width, newline, text: wrap(width, newline or "\n", True, text), "int", "string", "string"
    ),
}
