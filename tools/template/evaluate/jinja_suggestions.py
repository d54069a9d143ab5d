"""Errors of Jinja2 templates in words that name what is known: the nearest field, function, filter. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import jinja2
from jinja2.utils import missing

from pyconsul.agent.common.suggest import did_you_mean
from pyconsul.tools.template.feed.records import Record, snake_case

#: How messages call the records.
_NOUNS = {
    "HealthService": "an instance",
    "HealthCheck": "a check",
    "CatalogSnippet": "a service",
    "CatalogNodeService": "a service of a node",
    "CatalogNode": "a node with its services",
    "Node": "a node",
    "KeyPair": "a pair",
    "ServiceAddress": "a tagged address",
    "Weights": "weights",
}
#: A call of each function that needs an argument.
_EXAMPLES = {
    "service": 'service("web")',
    "key": 'key("app/name")',
    "pair": 'pair("app/name")',
    "key_or_default": 'key_or_default("app/name", "demo")',
    "key_exists": 'key_exists("app/name")',
    "env": 'env("HOME")',
    "file": 'file("/etc/hostname")',
}
_MISSING = re.compile(r"Functions\.(\w+)\(\) missing \d+ required positional arguments?: '(\w+)'.*")
_NO_FILTER = re.compile(r"No (filter|test) named '(\w+)'\.?")


def undefined_type(functions: Iterable[str]) -> type[jinja2.StrictUndefined]:
    """Return the type of what is not defined in a template that has these functions."""
    names = frozenset(functions)

    class Missing(jinja2.StrictUndefined):
        @property
        def _undefined_message(self) -> str:
            name, owner = self._undefined_name, self._undefined_obj
            if self._undefined_hint:
                return self._undefined_hint
            if owner is missing:
                return f"{name!r} is undefined{did_you_mean(str(name), names, quoted=True)}"
            return _no_field(owner, str(name))

    return Missing


def _no_field(owner: Any, name: str) -> str:
    if isinstance(owner, Record):
        noun = _NOUNS.get(type(owner).__name__, "this")
        return f"{noun} has no field {name!r}{did_you_mean(name, [snake_case(field) for field in owner.go_fields], quoted=True)}"
    if name.lstrip("-").isdigit() and isinstance(owner, list | tuple | str):
        return f"there is no element {name}: it has {len(owner)}"
    if isinstance(owner, Mapping):
        return f"there is no entry {name!r}{did_you_mean(name, map(str, owner), quoted=True)}"
    if owner is None:
        return f"none has no field {name!r}"
    kind = {list: "a list", tuple: "a list", str: "a text", int: "a number", float: "a number", bool: "a boolean"}
    noun = next((noun for known, noun in kind.items() if isinstance(owner, known)), "this")
    return f"{noun} has no field {name!r}"


def syntax_text(error: jinja2.TemplateSyntaxError, environment: jinja2.Environment) -> str:
    """Return the message of a syntax error."""
    text = str(error.message)
    if (found := _NO_FILTER.fullmatch(text)) is None:
        return text
    kind, name = found.groups()
    known = environment.filters if kind == "filter" else environment.tests
    return f"there is no {kind} {name!r}{did_you_mean(name, known, quoted=True)}"


def error_text(error: Exception) -> str:
    """Return the message of an evaluation error, without names of our classes."""
    if isinstance(error, jinja2.TemplateError | ValueError):
        return str(error)
    text = str(error)
    if isinstance(error, TypeError) and (found := _MISSING.fullmatch(text)) is not None:
        function, argument = found.groups()
        example = f", such as {_EXAMPLES[function]}" if function in _EXAMPLES else ""
        return f"{function}() needs a {argument}{example}"
    if isinstance(error, TypeError) and "Functions." in text:
        return text.replace("Functions.", "")
    return f"{type(error).__name__}: {text}"
