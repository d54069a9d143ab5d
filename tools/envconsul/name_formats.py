"""The small templates of paths and formats: "{{ env `STAGE` }}/app", "x_{{ key | replaceKey `name` `title` }}". Pure.

They are Go templates with the few functions that envconsul has:
https://github.com/hashicorp/envconsul#configuration-file
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyconsul.tools.gotemplate.template import Template

Function = Callable[..., str]


class FormatError(ValueError):
    """A format cannot be evaluated; the text names the format and what is wrong."""


def replace_key(old: str, new: str, text: str) -> str:
    """Return the function `replaceKey`, whose text comes last, so that it can stand at the end of a pipeline."""
    return text.replace(old, new)


def render(source: str, functions: Mapping[str, Function]) -> str:
    """Render `source` as a Go template; `functions` take and return strings. Raises FormatError."""
    if "{{" not in source:
        return source
    # The template language is loaded only by those who use it.
    from pyconsul.tools.gotemplate.errors import TemplateError
    from pyconsul.tools.gotemplate.runtime.signature import function

    typed = {name: function(call, *["string"] * _count(call)) for name, call in functions.items()}
    try:
        return _parse(source, frozenset(functions)).execute(None, typed)
    except TemplateError as error:
        raise FormatError(f"format {source!r}: {error} (its functions: {', '.join(sorted(functions))})") from error


@lru_cache(maxsize=64)
def _parse(source: str, functions: frozenset[str]) -> Template:
    from pyconsul.tools.gotemplate.template import parse

    return parse("format", source, functions=functions)


def _count(call: Function) -> int:
    return len(inspect.signature(call).parameters)
