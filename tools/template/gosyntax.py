"""Templates in Go's text/template language: parsed by `go`, with the functions of consul-template."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from pyconsul.tools.template.evaluate import TemplateError
from pyconsul.tools.template.functions import Functions
from pyconsul.tools.template.go import errors
from pyconsul.tools.template.go.errors import GoError
from pyconsul.tools.template.go.evaluate import parse
from pyconsul.tools.template.go.functions import collections, encoding, formats, numbers, spew, sprig, texts
from pyconsul.tools.template.go.functions.scratch import Scratch
from pyconsul.tools.template.go.signature import ANY, Function, function
from pyconsul.tools.template.goapi import GoApi
from pyconsul.tools.template.source import read_source
from pyconsul.tools.template.spec import Spec


class GoTemplate:
    """A parsed Go template."""

    hasty = True

    def __init__(self, spec: Spec, functions: Functions, environ: Mapping[str, str]) -> None:
        table = {**_helpers(environ), **GoApi(functions).table()}
        self._table = {name: _allowed(spec, name, call) for name, call in table.items()}
        text = read_source(spec)
        missing = "error" if spec.error_on_missing_key else "zero"
        try:
            self._template = parse(spec.name, text, spec.left, spec.right, {*self._table, "scratch"}, missing)
        except errors.TemplateError as error:
            raise TemplateError(str(error)) from error

    def render(self) -> str:
        """Raises TemplateError, with the words of the language itself."""
        scratch = Scratch()
        try:
            return self._template.execute(None, {**self._table, "scratch": function(lambda: scratch)})
        except errors.TemplateError as error:
            raise TemplateError(str(error)) from error


def _helpers(environ: Mapping[str, str]) -> dict[str, Function]:
    families = (collections, encoding, formats, numbers, spew, sprig, texts)
    return {name: call for family in families for name, call in family.FUNCTIONS.items()}


def _allowed(spec: Spec, name: str, call: Function) -> Function:
    if not any(fnmatchcase(name, pattern) for pattern in spec.denylist):
        return call

    def refuse(*_: Any) -> Any:
        raise GoError(f"the function {name} is denied to this template")

    return function(refuse, "..." + ANY)
