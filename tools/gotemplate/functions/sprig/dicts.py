"""Sprig's functions for dictionaries. Source: https://masterminds.github.io/sprig/dicts.html"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from pyconsul.tools.gotemplate.errors import GoError
from pyconsul.tools.gotemplate.functions.collections import merge
from pyconsul.tools.gotemplate.functions.sprig.values import text_of
from pyconsul.tools.gotemplate.runtime.signature import ANY, Function, function
from pyconsul.tools.gotemplate.runtime.values import Slice, strings, type_name

Dict = dict[str, Any]
_DICT = "map[string]interface {}"
_DICTS = "..." + _DICT


def make(*pairs: Any) -> Dict:
    """Keys and values by turns; a last key without a value gets an empty text."""
    return {text_of(key): pairs[i + 1] if i + 1 < len(pairs) else "" for i, key in enumerate(pairs) if i % 2 == 0}


def put(target: Dict, key: str, value: Any) -> Dict:
    """Return the dictionary, changed."""
    target[key] = value
    return target


def remove(target: Dict, key: str) -> Dict:
    """Return the dictionary without the key."""
    target.pop(key, None)
    return target


def keys(*dicts: Dict) -> Slice:
    """Return all keys, those of each dictionary sorted (Sprig has no order)."""
    return strings(key for found in dicts for key in sorted(found))


def merge_all(override: bool, target: Dict, *sources: Dict) -> Dict:
    """Return the target, changed: see collections.merge."""
    for source in sources:
        merge(target, source, override)
    return target


def dig(*path: Any) -> Any:
    """Return the value at a.b, or the default: `dig "a" "b" default dictionary`."""
    if len(path) < 3:
        raise GoError("dig needs at least three arguments")
    *names, default, place = path
    for name in names:
        if not isinstance(place, dict) or not isinstance(name, str):
            wrong = place if isinstance(name, str) else name
            wanted = _DICT if isinstance(name, str) else "string"
            raise GoError(f"interface conversion: interface {{}} is {type_name(wrong)}, not {wanted}")
        if name not in place:
            return default
        place = place[name]
    return place


_MERGE = function(lambda target, *sources: merge_all(False, target, *sources), _DICT, _DICTS)
_OVERWRITE = function(lambda target, *sources: merge_all(True, target, *sources), _DICT, _DICTS)
_COPY = function(copy.deepcopy, ANY)

FUNCTIONS: Mapping[str, Function] = {
    "deepCopy": _COPY,
    "dict": function(make, "..." + ANY),
    "dig": function(dig, "..." + ANY),
    "get": function(lambda found, key: found.get(key, ""), _DICT, "string"),
    "hasKey": function(lambda found, key: key in found, _DICT, "string"),
    "keys": function(keys, _DICTS),
    "merge": _MERGE,
    "mergeOverwrite": _OVERWRITE,
    "mustDeepCopy": _COPY,
    "mustMerge": _MERGE,
    "mustMergeOverwrite": _OVERWRITE,
    "omit": function(lambda found, *out: {k: v for k, v in found.items() if k not in out}, _DICT, "...string"),
    "pick": function(lambda found, *names: {k: found[k] for k in names if k in found}, _DICT, "...string"),
    "pluck": function(lambda key, *dicts: [found[key] for found in dicts if key in found], "string", _DICTS),
    "set": function(put, _DICT, "string", ANY),
    "unset": function(remove, _DICT, "string"),
    "values": function(lambda found: [found[key] for key in sorted(found)], _DICT),
}
