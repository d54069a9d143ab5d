"""Decides whether a rendered text may be used: a template's output must not depend in its structure on catalog data.

The template is rendered once more with harmless stand-ins for the dangerous characters of catalog fields. When the text
then has another structure, such a character broke a line or made another word, wherever the template printed it.
Without dangerous characters in the fields nothing is rendered twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pyconsul.agent.common.structs import replace
from pyconsul.tools.template.evaluate.contract import Inspect, TemplateError, UnsafeField
from pyconsul.tools.template.evaluate.field_safety.fields import Field, dangerous_fields, rewrite, union
from pyconsul.tools.template.evaluate.field_safety.formats import format_named
from pyconsul.tools.template.evaluate.field_safety.placeholders import has_hidden, hide, unhide
from pyconsul.tools.template.feed.answers import Answers, View

if TYPE_CHECKING:
    from pyconsul.tools.template.evaluate.functions import Functions
    from pyconsul.tools.template.feed.lookups import Lookup

#: A template with one of these words may print data of health checks.
_CHECKS = re.compile(r"hecks|\binclude\b|\bimport\b|\bextends\b|\battr\b|getattr|utput|otes")
Render = Callable[[Inspect | None], str]


class Inspector:
    """Of one template. `render`: renders it with `functions`; `text`: its source; `format_name`: one of FORMAT_NAMES."""

    def __init__(self, name: str, functions: Functions, render: Render, text: str, format_name: str) -> None:
        self._name = name
        self._functions = functions
        self._render = render
        self._format = format_named(format_name or "text")
        self._checks = _CHECKS.search(text) is not None
        self._known: dict[int, tuple[Any, list[Field]]] = {}  # dangerous fields by the identity of an answer

    def inspect(self, text: str, answers: Answers) -> None:
        """Raise UnsafeField when the text must not be used. Call it in the evaluation that rendered the text."""
        fields = self._fields()
        if not fields:
            return
        structure = self._format.structure(text)

        def breaks(chosen: Sequence[Field]) -> bool:
            try:
                shadow = self._shadow(chosen, answers)
            except TemplateError:  # it works with the real characters only; its text decides
                return any(field.text in text for field in chosen)
            return has_hidden(shadow) and self._format.structure(shadow) != structure

        if breaks(fields):
            guilty = _guilty(fields, breaks)
            raise UnsafeField(self._located(guilty, answers))

    def _fields(self) -> list[Field]:
        """Return the dangerous fields of all that the template has just been given."""
        free = self._format.name != "text"
        seen = [*self._functions.context.given, *self._functions.context.variables.values()]
        known = {}
        for answer in seen:
            found = self._known.get(id(answer))
            if found is None or found[0] is not answer:
                found = answer, dangerous_fields(answer, self._format.dangerous, checks=self._checks, free=free)
            known[id(answer)] = found
        self._known = known
        return union(fields for _, fields in known.values())

    def _shadow(self, chosen: Sequence[Field], answers: Answers, inspect: Inspect | None = None) -> str:
        """Return the text with stand-ins in these fields."""
        hidden = frozenset(chosen)

        def change(field: Field) -> str:
            return hide(field.text, self._format.dangerous) if field in hidden else field.text

        copies: dict[int, tuple[Any, Any]] = {}

        def disguised(answer: Any) -> Any:
            if id(answer) not in copies:
                copies[id(answer)] = answer, rewrite(answer, change)
            return copies[id(answer)][1]

        real = self._functions.context
        variables = {name: disguised(value) for name, value in real.variables.items()}
        shadow = replace(real, view=_PlainView(answers), variables=variables, disguise=disguised, given=[])
        with self._functions.evaluating(shadow):
            return self._render(inspect)

    def _located(self, field: Field, answers: Answers) -> str:
        """Return the message, with file and line if the template prints the field itself."""
        message = f"{field}, which would break a line of this {self._format.name} file ({_remedy(self._format.name)})"

        def inspect(printed: str) -> None:
            if has_hidden(printed):
                raise ValueError(message)

        try:
            self._shadow([field], answers, inspect)
        except TemplateError as error:
            if message in str(error):
                return str(error)
        return f"{self._name}: {message}"


def _remedy(format_name: str) -> str:
    quoting = f"| {format_name} quotes it, " if format_name in ("haproxy", "nginx", "shell", "json") else ""
    return f"{quoting}| raw prints it as it is"


def _guilty(fields: Sequence[Field], breaks: Callable[[Sequence[Field]], bool]) -> Field:
    """Return a field that breaks the structure alone; the first when only several together do."""
    while len(fields) > 1:
        half = len(fields) // 2
        part = next((part for part in (fields[:half], fields[half:]) if breaks(part)), None)
        if part is None:
            break
        fields = part
    return fields[0]


class _PlainView(View):
    """Reads the lookups whose names have no stand-ins."""

    def ask(self, lookup: Lookup) -> Any:
        return super().ask(replace(lookup, name=unhide(lookup.name)))

    def need(self, lookup: Lookup) -> Any:
        return super().need(replace(lookup, name=unhide(lookup.name)))
