"""All functions of consul-template that look nothing up, put together.

helpers = Helpers(real_surroundings(os.environ))
template = parse("a.ctmpl", text, functions=[*helpers.names, *lookups])
template.execute(None, {**helpers.functions(), **lookups})
"""

from __future__ import annotations

from pyconsul.tools.template.go.functions import collections, encoding, formats, numbers, spew, sprig, texts
from pyconsul.tools.template.go.functions.scratch import Scratch
from pyconsul.tools.template.go.functions.surroundings import Surroundings
from pyconsul.tools.template.go.signature import Function, function


class Helpers:
    """The functions, made once for their surroundings."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._shared: dict[str, Function] = {
            **texts.FUNCTIONS,
            **collections.FUNCTIONS,
            **encoding.FUNCTIONS,
            **formats.FUNCTIONS,
            **numbers.FUNCTIONS,
            **spew.FUNCTIONS,
            **sprig.FUNCTIONS,
            **surroundings.functions(),
        }

    @property
    def names(self) -> frozenset[str]:
        """The names of the functions."""
        return frozenset((*self._shared, "scratch"))

    def functions(self) -> dict[str, Function]:
        """The functions for one rendering: each has a scratch of its own."""
        scratch = Scratch()
        return {**self._shared, "scratch": function(lambda: scratch)}
