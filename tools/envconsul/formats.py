"""The small templates of paths and formats: "{{ env `STAGE` }}/app", "x_{{ key | replaceKey `name` `title` }}". Pure.

They are Go template actions with calls and pipelines of the few functions that envconsul has:
https://github.com/hashicorp/envconsul#configuration-file
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

Function = Callable[..., str]

_ACTION = re.compile(r"(\s*)\{\{(-\s)?((?:`[^`]*`|\"(?:[^\"\\]|\\.)*\"|[^`\"}]|\}(?!\}))*?)(\s-)?\}\}(\s*)")
_WORD = re.compile(r"\s*(`[^`]*`|\"(?:[^\"\\]|\\.)*\"|\||\w+)")


class FormatError(ValueError):
    """A format cannot be evaluated; the text names the format and the place."""


def replace_key(old: str, new: str, text: str) -> str:
    """The function `replaceKey`, whose text comes last, so that it can stand at the end of a pipeline."""
    return text.replace(old, new)


def render(source: str, functions: Mapping[str, Function]) -> str:
    """`source` with its actions replaced by their results; `functions` give strings for strings.

    Raises FormatError for syntax, unknown functions and wrong numbers of arguments.
    """

    def action(match: re.Match[str]) -> str:
        before, trim_left, pipeline, trim_right, after = match.groups()
        text = _pipeline(pipeline, functions, source)
        return ("" if trim_left else before) + text + ("" if trim_right else after)

    result = _ACTION.sub(action, source)
    if "{{" in _ACTION.sub("", source):
        raise FormatError(f"format {source!r}: an action {{{{ … }}}} is not closed")
    return result


def _pipeline(text: str, functions: Mapping[str, Function], source: str) -> str:
    piped: list[str] = []
    for call in _calls(text, source):
        head, arguments = call[0], [_argument(word, functions, source) for word in call[1:]] + piped
        piped = [_argument(head, functions, source, arguments)]
    return piped[0]


def _calls(text: str, source: str) -> list[list[str]]:
    calls: list[list[str]] = [[]]
    position, text = 0, text.rstrip()
    while position < len(text):
        match = _WORD.match(text, position)
        if match is None:
            raise FormatError(f"format {source!r}: cannot read {text[position:]!r}")
        position = match.end()
        if match[1] == "|":
            calls.append([])
        else:
            calls[-1].append(match[1])
    if not all(calls):
        raise FormatError(f"format {source!r}: an action or a part of a pipeline is empty")
    return calls


def _argument(word: str, functions: Mapping[str, Function], source: str, arguments: list[str] | None = None) -> str:
    if word.startswith("`"):
        return word[1:-1]
    if word.startswith('"'):
        try:
            return str(json.loads(word))
        except ValueError as error:
            raise FormatError(f"format {source!r}: {word} is no valid string") from error
    if word not in functions:
        raise FormatError(f"format {source!r}: unknown function {word!r}; allowed: {', '.join(sorted(functions))}")
    try:
        return functions[word](*(arguments or []))
    except TypeError as error:
        raise FormatError(f"format {source!r}: wrong number of arguments for {word}") from error
