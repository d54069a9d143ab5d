"""consul-template's functions for lists and maps: membership, grouping, merging, counting."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

from pyconsul.tools.gotemplate.errors import GoError
from pyconsul.tools.gotemplate.functions.numbers import parse_int
from pyconsul.tools.gotemplate.runtime.compare import basic_kind
from pyconsul.tools.gotemplate.runtime.signature import ANY, Function, function
from pyconsul.tools.gotemplate.runtime.values import Channel, Int64, Map, Slice, element_type, truth, type_name
from pyconsul.tools.gotemplate.syntax.quote import quote
from pyconsul.tools.gotemplate.text.verbs import display

PAIRS = "[]*dependency.KeyPair"
SERVICES = "[]*dependency.HealthService"
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]")


def contains(container: Any, item: Any) -> bool:
    """Return whether a list has the item (a number of the same kind, or a string), or a string the part: `in`."""
    if isinstance(container, str):
        return isinstance(item, str) and item in container
    if not isinstance(container, list):
        return False
    kind = basic_kind(item)
    if kind not in ("string", "int", "float"):
        return False
    return any(element == item and basic_kind(element) == kind for element in container)


def _contains_some(stop: bool, result: bool) -> Function:
    """Return a function over needles: `result` unless for one of them `contains` gives `stop`."""

    def run(needles: list[Any], haystack: Any) -> bool:
        return result != any(contains(haystack, needle) is stop for needle in needles)

    return function(run, "[]interface {}", ANY)


def loop(*bounds: Any) -> Channel:
    """Return the integers from 0, or the first bound, up to and without the last."""
    if len(bounds) not in (1, 2):
        raise GoError(f"loop: wrong number of arguments, expected 1 or 2, but got {len(bounds)}")
    start, stop = map(_bound, bounds if len(bounds) == 2 else (0, *bounds))
    return Channel(map(Int64, range(start, stop)))


def _bound(value: Any) -> int:
    if isinstance(value, str):
        return parse_int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise GoError(f"loop: bad argument type: {type_name(value)}")
    return value


def by_key(pairs: list[Any]) -> Map:
    """Pairs by the first part of their key; in the groups they are sorted and named by the rest of it."""
    groups = Map("map[string]map[string]*dependency.KeyPair")
    for pair in pairs:
        top, _, rest = pair.Key.partition("/")
        if rest:
            group = groups.setdefault(top, Map("map[string]*dependency.KeyPair"))
            group[rest] = _with_key(pair, rest)
    return groups


def _with_key(pair: Any, key: str) -> Any:
    """Return a copy of the pair with another key."""
    changed = copy.copy(pair)
    changed.Key = key
    return changed


def by_tag(services: Any) -> Map:
    """Services, or the catalog's entries, by tag."""
    groups = Map("map[string][]interface {}")
    for service in _services("byTag", services):
        tags = service.ServiceTags if type_name(service) == "*dependency.CatalogService" else service.Tags
        for tag in tags:
            groups.setdefault(tag, []).append(service)
    return groups


def by_port(services: Any) -> Map:
    """Services by port."""
    groups = Map("map[int][]interface {}")
    for service in _services("byPort", services):
        port = service.ServicePort if type_name(service) == "*dependency.CatalogService" else service.Port
        groups.setdefault(port, []).append(service)
    return groups


def _services(name: str, services: Any) -> list[Any]:
    if services is None:
        return []
    if not isinstance(services, Slice) or not element_type(services).startswith("*dependency."):
        raise GoError(f"{name}: wrong argument type {type_name(services)}")
    return services


def by_meta(keys: str, services: list[Any]) -> Map:
    """Services by the values of metadata keys, joined by `_`; `key|int` is a number of five digits."""
    groups = Map(f"map[string]{SERVICES}")
    for service in services:
        name = "_".join(_NOT_IN_NAMES.sub("_", _meta(service.ServiceMeta, key)) for key in keys.split(","))
        groups.setdefault(name, Slice(SERVICES)).append(service)
    return groups


def _meta(meta: Mapping[str, str], key: str) -> str:
    name = key.removesuffix("|int")
    value = (meta or {}).get(name, "")
    if name == key:
        return value or f"_no_{name}_"
    if not re.fullmatch(r"[+-]?[0-9]+", value or "0"):
        raise GoError(f"cannot parse {value} as number : strconv.Atoi: parsing {quote(value)}: invalid syntax")
    return f"{int(value or 0):05d}"


def explode(pairs: list[Any]) -> dict[str, Any]:
    """Pairs as nested maps: the parts of their keys."""
    tree: dict[str, Any] = {}
    for pair in pairs:
        _plant("explode", tree, pair.Key, pair.Value)
    return tree


def explode_map(flat: dict[str, Any]) -> dict[str, Any]:
    """Return a map with paths as keys as nested maps."""
    tree: dict[str, Any] = {}
    for key in sorted(flat):
        _plant("explodeMap", tree, key, flat[key])
    return tree


def _plant(name: str, tree: dict[str, Any], path: str, value: Any) -> None:
    *folders, last = path.split("/")
    place = tree
    for folder in folders:
        inner = place.setdefault(folder, {})
        if type(inner) is not dict:
            raise GoError(
                f"{name}: not a map: {quote(path)}: {quote(folder)} already has value {quote(display(inner))}"
            )
        place = inner
    if last:
        place[last] = value


def merge(target: dict[str, Any], source: dict[str, Any], override: bool) -> dict[str, Any]:
    """Return the source put into the target, which is changed: maps one into the other, other values where they are missing.

    A value of the target that is empty (nothing, 0, "") is missing. `override`: the source's values win.
    """
    for key, value in source.items():
        present = target.get(key)
        if isinstance(present, dict) and isinstance(value, dict):
            merge(present, value, override)
        elif override or (value is not None and not truth(present)):
            target[key] = value
    return target


_MAP = "map[string]interface {}"

FUNCTIONS: Mapping[str, Function] = {
    "byKey": function(by_key, PAIRS),
    "byMeta": function(by_meta, "string", SERVICES),
    "byPort": function(by_port, ANY),
    "byTag": function(by_tag, ANY),
    "contains": function(lambda item, container: contains(container, item), ANY, ANY),
    "containsAll": _contains_some(stop=False, result=True),
    "containsAny": _contains_some(stop=True, result=False),
    "containsNone": _contains_some(stop=True, result=True),
    "containsNotAll": _contains_some(stop=False, result=False),
    "explode": function(explode, PAIRS),
    "explodeMap": function(explode_map, _MAP),
    "in": function(contains, ANY, ANY),
    "loop": function(loop, "..." + ANY),
    "mergeMap": function(lambda target, source: merge(target, source, False), _MAP, _MAP),
    "mergeMapWithOverride": function(lambda target, source: merge(target, source, True), _MAP, _MAP),
}
