"""Query templates: checked once when they are written, filled in with the name that was asked for.

https://developer.hashicorp.com/consul/api-docs/query#prepared-query-templates
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from msgspec.structs import replace

from pyconsul.agent.filter.regexp import Groups, RegexpError, compile_groups
from pyconsul.agent.model.query import NAME_PREFIX_MATCH, PreparedQuery, ServiceQuery
from pyconsul.agent.queries.interpolation import Fault, fill, parse
from pyconsul.agent.state.contract import Refused

MAX_SHOWN = 1000  # characters of a text that an error shows
MAX_RENDERED = (
    64 << 10
)  # characters of all texts of a query together: a short template may name a long match many times

_parse = lru_cache(maxsize=512)(parse)


def check_template(query: PreparedQuery) -> None:
    """Raises Refused when a template cannot be filled in: its type, a text, or its regular expression is wrong."""
    if query.template.type != NAME_PREFIX_MATCH:
        raise Refused(f"failed compiling template: Bad Template.Type '{query.template.type}'")
    _visit(query.service, "Service", _checked)
    try:
        _groups(query.template.regexp)
    except RegexpError as error:
        raise Refused(f"failed compiling template: Bad Regexp: {error}") from None
    try:
        render(query, query.name)
    except Refused as error:
        raise Refused(f"failed compiling template: {error}") from None


def render(query: PreparedQuery, asked: str, segment: str = "") -> PreparedQuery:
    """Return the query of a template for a name.  Raises Refused for a template that fails."""
    groups = _groups(query.template.regexp)
    matches = groups(asked) if groups else ()
    variables = {
        "name.full": asked,
        "name.prefix": query.name,
        "name.suffix": asked.removeprefix(query.name),
        "agent.segment": segment,
    }

    def match(number: int) -> str:
        return matches[number] if 0 <= number < len(matches) else ""

    left = MAX_RENDERED

    def filled(text: str, path: str) -> str:
        nonlocal left
        try:
            made = fill(_parse(text), variables, {"match": match}, left)
        except Fault as error:
            raise Refused(f"Bad evaluation for '{text[:MAX_SHOWN]}' in {path}: {error}") from None
        left -= len(made)
        return made

    service = _visit(query.service, "Service", filled)
    if query.template.remove_empty_tags and service.tags is not None:
        service = replace(service, tags=[tag for tag in service.tags if tag])
    return replace(query, service=service)


def _groups(regexp: str) -> Groups | None:
    return compile_groups(regexp) if regexp else None


def _checked(text: str, path: str) -> str:
    try:
        _parse(text)
    except Fault as error:
        raise Refused(f"failed compiling template: Bad format '{text[:MAX_SHOWN]}' in {path}: {error}") from None
    return text


def _visit(service: ServiceQuery, path: str, change: Callable[[str, str], str]) -> ServiceQuery:
    """Return the same structure with every text in it changed; `change` gets the path of each, such as `Service.Tags[0]`."""
    changed: ServiceQuery = _changed(service, path, change)
    return changed


def _changed(value: Any, path: str, change: Callable[[str, str], str]) -> Any:
    if isinstance(value, str):
        return change(value, path)
    if isinstance(value, msgspec.Struct):
        fields = msgspec.structs.fields(type(value))
        return type(value)(
            **{one.name: _changed(getattr(value, one.name), f"{path}.{one.encode_name}", change) for one in fields}
        )
    if isinstance(value, dict):
        return {key: _changed(one, f"{path}[{key}]", change) for key, one in value.items()}
    if isinstance(value, Sequence):
        return [_changed(one, f"{path}[{number}]", change) for number, one in enumerate(value)]
    return value
