"""Templates in Go's text/template language: parsed by `go`, with the functions of consul-template."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from itertools import chain
from typing import TYPE_CHECKING, Any

from pyconsul.agent.common.suggest import did_you_mean
from pyconsul.tools.gotemplate import errors
from pyconsul.tools.gotemplate.errors import GoError
from pyconsul.tools.gotemplate.functions.helpers import Helpers
from pyconsul.tools.gotemplate.runtime.signature import ANY, Function, function
from pyconsul.tools.gotemplate.template import parse
from pyconsul.tools.template.evaluate.contract import Inspect, TemplateError
from pyconsul.tools.template.evaluate.field_safety.quoting import QUOTING, json_text
from pyconsul.tools.template.evaluate.go_lookups import GoApi
from pyconsul.tools.template.evaluate.template_text import read_source
from pyconsul.tools.template.feed.records import Record

if TYPE_CHECKING:
    from pyconsul.tools.gotemplate.functions.surroundings import Surroundings
    from pyconsul.tools.template.evaluate.functions import Functions
    from pyconsul.tools.template.spec import Spec

#: The functions of consul-template's that do not exist here, and why.
_NOT_HERE = {
    "Vault is not supported": "secret secrets pkiCert",
    "Nomad is not supported": "nomadService nomadServices nomadVar nomadVarExists nomadVarList nomadVarListSafe",
    "service mesh, peering and partitions are not supported": "caLeaf caRoots connect exportedServices partitions peerings",
}
_FUNCTION = re.compile(r'function "(\w+)" not defined')
_FIELD = re.compile(r"can't evaluate field (\w+) in type \*dependency\.")


class GoTemplate:
    """A parsed Go template."""

    fails_while_missing = True

    def __init__(self, spec: Spec, functions: Functions, environ: Mapping[str, str]) -> None:
        self._spec = spec
        self._api = GoApi(functions).table()
        self._api.update((name, function(call, ANY)) for name, call in {**QUOTING, "json": json_text}.items())
        if spec.for_each:
            self._api["item"] = function(lambda: functions.context.variables.get("item"))
        self.text = read_source(spec)
        self._helpers = Helpers(environ, _real_surroundings, self.text)
        try:
            self._template = parse(
                spec.name,
                self.text,
                spec.left,
                spec.right,
                {*self._helpers.names, *self._api},
                "error" if spec.error_on_missing_key else "zero",
            )
        except errors.TemplateError as error:
            hint = _why_not(str(error)) or _nearest(_FUNCTION, str(error), {*self._helpers.names, *self._api})
            raise TemplateError(f"{error}{hint}") from error

    def render(self, inspect: Inspect | None = None) -> str:
        """Raises TemplateError, with the words of the language itself."""
        table = {**self._helpers.functions(), **self._api}
        for pattern in self._spec.denylist:
            table.update((name, _denied(name)) for name in table if fnmatchcase(name, pattern))
        try:
            return self._template.execute(None, table, inspect)
        except errors.TemplateError as error:
            kinds = [kind.go_fields for kind in Record.__subclasses__() if f"*{kind.go_type}" in str(error)]
            raise TemplateError(f"{error}{_nearest(_FIELD, str(error), *kinds)}") from error


def _nearest(pattern: re.Pattern[str], error: str, *known: Iterable[str]) -> str:
    """Return the nearest known word to the one that the error names."""
    found = pattern.search(error)
    return did_you_mean(found[1], sorted({*chain(*known)})) if found is not None else ""


def _why_not(error: str) -> str:
    """Return why a function of consul-template does not exist here."""
    names = ((name, why) for why, group in _NOT_HERE.items() for name in group.split())
    return next((f": {why}" for name, why in names if f'function "{name}" not defined' in error), "")


def _real_surroundings() -> Surroundings:
    from pyconsul.tools.gotemplate.functions.real_surroundings import real_surroundings

    return real_surroundings()


def _denied(name: str) -> Function:
    def refuse(*_: Any) -> Any:
        raise GoError(f"the function {name} is denied to this template")

    return function(refuse, "..." + ANY)
