"""The functions of registrator's Go templates, and a container as their data. Pure, apart from `httpGet`, which is given.

Source: https://gliderlabs.github.io/registrator/latest/user/run/#registrator-options (-tags)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from pyconsul.tools.gotemplate.errors import GoError
from pyconsul.tools.gotemplate.runtime.signature import ANY, Function, function
from pyconsul.tools.gotemplate.runtime.values import Slice, strings
from pyconsul.tools.registrator.desired.template_contract import Fetch

#: Objects whose keys are the user's, not fields.
_MAPS = frozenset(
    ("Labels", "Ports", "Networks", "ExposedPorts", "Volumes", "PortBindings", "Sysctls", "Options", "DriverOpts")
)


def go_functions(fetch: Fetch) -> dict[str, Function]:
    """Return the functions by name. `fetch` returns the body of a URL; it raises OSError or ValueError."""
    return {
        "strSlice": function(_str_slice, "string", "...int"),
        "sIndex": function(_index, "int", ANY),
        "mIndex": function(lambda key, mapping: str((mapping or {}).get(key, "")), "string", ANY),
        "toUpper": function(str.upper, "string"),
        "toLower": function(str.lower, "string"),
        "replace": function(lambda count, old, new, text: text.replace(old, new, count), "int", *["string"] * 3),
        "join": function(lambda separator, items: separator.join(map(str, items or ())), "string", ANY),
        "split": function(lambda separator, text: strings(_split(separator, text)), "string", "string"),
        "splitIndex": function(lambda at, separator, text: _index(at, _split(separator, text)), "int", *["string"] * 2),
        "matchFirstElement": function(lambda regex, items: _first(_matching(regex, items)), "string", ANY),
        "matchAllElements": function(lambda regex, items: strings(_matching(regex, items)), "string", ANY),
        "httpGet": function(_fetching(fetch), "string"),
        "jsonParse": function(_json_path, ANY, "string"),
    }


def _str_slice(text: str, *bounds: int) -> str:
    if not 1 <= len(bounds) <= 2:
        raise GoError("strSlice takes one or two positions")
    return text[bounds[0] : bounds[1] if len(bounds) == 2 else None]


def _index(at: int, items: Any) -> str:
    """Return an element; negative positions count from the end, positions beyond either end mean the outermost."""
    found = list(items or ())
    if not found:
        return ""
    place = at + len(found) if at < 0 else at
    return str(found[min(max(place, 0), len(found) - 1)])


def _split(separator: str, text: str) -> list[str]:
    return text.split(separator) if separator else list(text)


def _matching(regex: str, items: Any) -> list[str]:
    import re2

    try:
        pattern = re2.compile(regex)
    except re2.error as error:
        raise GoError(f"invalid regular expression {regex!r}: {error}") from None
    return [str(item) for item in items or () if pattern.search(str(item))]


def _first(items: list[str]) -> str:
    return items[0] if items else ""


def _fetching(fetch: Fetch) -> Callable[[str], str]:
    def get(url: str) -> str:
        try:
            return fetch(url)
        except (OSError, ValueError) as error:
            raise GoError(f"httpGet {url}: {error}") from None

    return get


def _json_path(data: Any, path: str) -> str:
    """Return the value at a path such as `a::b`; empty where there is none."""
    try:
        value = json.loads(data)
    except (TypeError, ValueError, RecursionError) as error:
        raise GoError(f"jsonParse: {error}") from None
    for key in path.split("::"):
        if isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        elif isinstance(value, Mapping):
            value = value.get(key)
        else:
            return ""
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


class _Struct:
    """A JSON object as a Go struct: a field that does not exist is an error."""

    go_fields: tuple[str, ...] = ()
    go_type = "docker.Container"
    go_methods: tuple[str, ...] = ()


def go_value(described: Any, key: str = "Container") -> Any:
    """Return the engine's JSON as Go's values: objects are structs, but for those whose keys users choose."""
    if isinstance(described, Mapping):
        fields = {_field(name): go_value(value, name) for name, value in described.items()}
        if key in _MAPS:
            return {name: go_value(value) for name, value in described.items()}
        kind = type("Struct", (_Struct,), {"go_fields": tuple(fields), "go_type": f"docker.{key}"})
        value = kind()
        value.__dict__.update(fields)
        return value
    if isinstance(described, list):
        texts = all(isinstance(item, str) for item in described)
        return Slice("[]string", described) if texts else [go_value(item, key) for item in described]
    return described


def _field(name: str) -> str:
    """Return the field of a key: Docker's Go library spells `Id` as `ID`."""
    return "ID" if name == "Id" else name
