"""All functions of consul-template that look nothing up, put together.

helpers = Helpers(os.environ, real_surroundings)
template = parse("a.ctmpl", text, functions=[*helpers.names, *lookups])
template.execute(None, {**helpers.functions(), **lookups})

A family of functions is loaded when the template has the name of one: all of them take longer to load than most templates
take to run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from pyconsul.tools.gotemplate.functions.environment import environment_functions
from pyconsul.tools.gotemplate.functions.function_names import FAMILIES
from pyconsul.tools.gotemplate.functions.sprig.table import SPRIG_NAMES, sprig_functions
from pyconsul.tools.gotemplate.runtime.signature import Function, function

if TYPE_CHECKING:
    from pyconsul.tools.gotemplate.functions.surroundings import Surroundings

_PACKAGE = __name__.rpartition(".")[0]
_WORD = re.compile(r"\w+")


class Helpers:
    """The functions, made once for their surroundings. `text`: the template that calls them; None: any."""

    def __init__(
        self, environ: Mapping[str, str], surroundings: Callable[[], Surroundings], text: str | None = None
    ) -> None:
        words = self.names if text is None else self.names.intersection(_WORD.findall(text))
        self._scratch = "scratch" in words
        self._shared: dict[str, Function] = sprig_functions(words)
        for family, names in FAMILIES.items():
            if words.isdisjoint(names):
                continue
            if family == "environment":
                self._shared.update(environment_functions(environ))
            elif family == "surroundings":
                self._shared.update(surroundings().functions())
            else:
                self._shared.update(import_module(f"{_PACKAGE}.{family}").FUNCTIONS)

    @property
    def names(self) -> frozenset[str]:
        """The names of all functions, loaded or not."""
        return _NAMES

    def functions(self) -> dict[str, Function]:
        """Return the functions for one rendering, with a new scratch."""
        if not self._scratch:
            return dict(self._shared)
        from pyconsul.tools.gotemplate.functions.scratch import Scratch

        scratch = Scratch()
        return {**self._shared, "scratch": function(lambda: scratch)}


_NAMES = frozenset((*(name for names in FAMILIES.values() for name in names), *SPRIG_NAMES, "scratch"))
