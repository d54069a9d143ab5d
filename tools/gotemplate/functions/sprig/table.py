"""The functions of the Sprig library that consul-template offers, under their names there: `sprig_upper` …

Those that depend on the surroundings (date, now, env, random texts …) are not there, as in consul-template.
"""

from __future__ import annotations

from collections.abc import Set
from importlib import import_module
from typing import Any, NoReturn

from pyconsul.tools.gotemplate.errors import GoError
from pyconsul.tools.gotemplate.functions.function_names import SPRIG_FAMILIES, SPRIG_UNSUPPORTED
from pyconsul.tools.gotemplate.runtime.signature import ANY, Function, function

_PACKAGE = __name__.rpartition(".")[0]
_PREFIX = "sprig_"


def _unsupported(name: str) -> Function:
    def refuse(*values: Any) -> NoReturn:
        raise GoError(f"sprig_{name} is not supported: its result differs each time a template is rendered")

    return function(refuse, "..." + ANY)


SPRIG_NAMES = frozenset(_PREFIX + name for names in (*SPRIG_FAMILIES.values(), SPRIG_UNSUPPORTED) for name in names)


def sprig_functions(words: Set[str]) -> dict[str, Function]:
    """Return the families of the functions that `words` names."""
    found = {_PREFIX + name: _unsupported(name) for name in SPRIG_UNSUPPORTED}
    for family, names in SPRIG_FAMILIES.items():
        if any(_PREFIX + name in words for name in names):
            functions = import_module(f"{_PACKAGE}.{family}").FUNCTIONS
            found.update((_PREFIX + name, call) for name, call in functions.items())
    return found
