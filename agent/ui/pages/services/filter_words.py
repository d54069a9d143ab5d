"""Completion of filter expressions: whole expressions to choose from, made of selectors and of names that exist.  Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pyconsul.agent.ui.pages.services.heartbeats import literal

MOST = 30  # completions that are offered
#: Selectors of instances, and the operators that are usual with them.
SELECTORS: Mapping[str, Sequence[str]] = {
    "ServiceTags": ("contains", "not contains", "is empty"),
    "ServiceName": ("==", "!=", "matches"),
    "ServiceMeta": (),
    "ServiceID": ("==", "matches"),
    "ServicePort": ("==", "!="),
    "ServiceAddress": ("==", "!="),
    "Node": ("==", "!=", "matches"),
    "NodeMeta": (),
    "Address": ("==", "matches"),
}
#: What an expression may go on with behind a complete comparison.
JOINED = ("and", "or")
SELECTOR = r'(?P<selector>[\w.]+(?:\["[^"]*"\])?)'
COMPARISON = re.compile(
    SELECTOR + r'\s+(?P<operator>==|!=|(?:not )?contains|(?:not )?matches)\s+(?P<value>"[^"]*|[^\s"()]*)$'
)
OPERATOR = re.compile(SELECTOR + r"\s+(?P<operator>[\w=! ]*)$")
STARTS = re.compile(r"(?:^|\(|\b(?:and|or|not)\s)\s*$")  # before a selector
LAST_WORD = re.compile(r"[\w.\[\]\"-]*$")


def complete(text: str, names: Mapping[str, Sequence[str]]) -> list[str]:
    """Return expressions that begin with what is typed.

    names: the values that exist by selector; those of `ServiceMeta` and `NodeMeta` are keys, the others stand for themselves.
    """
    found: list[str] = []
    for one in _completions(text, names):
        if one != text and one not in found:
            found.append(one)
        if len(found) == MOST:
            break
    return found


def _completions(text: str, names: Mapping[str, Sequence[str]]) -> Iterator[str]:
    if (comparison := COMPARISON.search(text)) is not None:
        typed = comparison["value"].lstrip('"').lower()
        before = text[: comparison.start("value")]
        values = names.get(comparison["selector"], ())
        yield from (before + literal(value) for value in _beginning(typed, values))
        return
    if text.rstrip().endswith(('"', "`", "empty")):
        yield from (f"{text.rstrip()} {word} " for word in JOINED)
        return
    operator = OPERATOR.search(text)
    if operator is not None and operator["selector"] not in (*JOINED, "not"):
        usual = SELECTORS.get(operator["selector"].partition(".")[0].partition("[")[0])
        if usual is not None:
            before = text[: operator.start("operator")]
            yield from (f"{before}{one} " for one in usual or ("==", "!=") if one.startswith(operator["operator"]))
            return
    word = LAST_WORD.search(text)
    typed = word[0].lower() if word is not None else ""
    before = text[: len(text) - len(typed)]
    if not STARTS.search(before):
        return
    yield from (before + selector for selector in _selectors(names) if selector.lower().startswith(typed))


def _selectors(names: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for selector in SELECTORS:
        if selector.endswith("Meta"):
            yield from (f"{selector}{_part(key)} == " for key in names.get(selector, ()))
        else:
            yield f"{selector} {SELECTORS[selector][0]} "


def _part(key: str) -> str:
    return f".{key}" if re.fullmatch(r"[A-Za-z]\w*", key) else f"[{literal(key)}]"


def _beginning(typed: str, values: Iterable[str]) -> list[str]:
    """Return values that begin with a text, then those that contain it."""
    lowered = [(value, value.lower()) for value in values]
    first = [value for value, lower in lowered if lower.startswith(typed)]
    return first + [value for value, lower in lowered if typed in lower and not lower.startswith(typed)]
