"""Sprig's functions for defaults, conditions and types. Source: https://masterminds.github.io/sprig/defaults.html"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from pyconsul.tools.gotemplate.errors import GoError
from pyconsul.tools.gotemplate.functions.sprig.values import is_empty, kind_of
from pyconsul.tools.gotemplate.runtime.signature import ANY, Function, function
from pyconsul.tools.gotemplate.runtime.values import type_name
from pyconsul.tools.gotemplate.text.json_text import parse_json, to_json

_ANYS = "..." + ANY


def default(fallback: Any, *given: Any) -> Any:
    """Return the given value, or the fallback when it is empty."""
    return fallback if not given or is_empty(given[0]) else given[0]


def fail(message: str) -> NoReturn:
    """End the rendering with an error."""
    raise GoError(message)


def _quiet(convert: Callable[[Any], Any], otherwise: Any) -> Callable[[Any], Any]:
    """Return the conversion, which gives `otherwise` instead of an error."""

    def run(value: Any) -> Any:
        try:
            return convert(value)
        except GoError:
            return otherwise

    return run


def _pretty(value: Any) -> str:
    return to_json(value, pretty=True)


def _raw(value: Any) -> str:
    return to_json(value, escape_html=False)


FUNCTIONS: Mapping[str, Function] = {
    "all": function(lambda *values: not any(map(is_empty, values)), _ANYS),
    "any": function(lambda *values: not all(map(is_empty, values)), _ANYS),
    "coalesce": function(lambda *values: next((v for v in values if not is_empty(v)), None), _ANYS),
    "default": function(default, ANY, _ANYS),
    "empty": function(is_empty, ANY),
    "fail": function(fail, "string"),
    "fromJson": function(_quiet(parse_json, None), "string"),
    "kindIs": function(lambda kind, value: kind_of(value) == kind, "string", ANY),
    "kindOf": function(kind_of, ANY),
    "mustFromJson": function(parse_json, "string"),
    "mustToJson": function(to_json, ANY),
    "mustToPrettyJson": function(_pretty, ANY),
    "mustToRawJson": function(_raw, ANY),
    "ternary": function(lambda yes, no, condition: yes if condition else no, ANY, ANY, "bool"),
    "toJson": function(_quiet(to_json, ""), ANY),
    "toPrettyJson": function(_quiet(_pretty, ""), ANY),
    "toRawJson": function(_raw, ANY),
    "typeIs": function(lambda name, value: type_name(value) == name, "string", ANY),
    "typeIsLike": function(lambda name, value: type_name(value) in (name, "*" + name), "string", ANY),
    "typeOf": function(type_name, ANY),
}
