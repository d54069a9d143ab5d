"""The page pyconsul-template-functions(7): what templates can call and read, out of the declarations themselves."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pyconsul.tools.docs.gofunctions import DESCRIPTIONS
from pyconsul.tools.docs.roff import Entry, Page, Section
from pyconsul.tools.docs.templateexamples import FIXTURE
from pyconsul.tools.docs.templateexamples import sections as examples
from pyconsul.tools.gotemplate.functions.helpers import Helpers
from pyconsul.tools.gotemplate.functions.real_surroundings import real_surroundings
from pyconsul.tools.gotemplate.runtime.signature import Function
from pyconsul.tools.template.evaluate.field_safety.quoting import QUOTING
from pyconsul.tools.template.evaluate.functions import Functions
from pyconsul.tools.template.evaluate.go_lookups import GoApi
from pyconsul.tools.template.evaluate.jinja_filters import FILTERS
from pyconsul.tools.template.feed.records import Record, snake_case

_EXAMPLE = """{% for s in service("web") %}
server {{ s.id }} {{ s.address }}:{{ s.port }}
{% endfor %}""".splitlines()


def page() -> Page:
    """Return the page."""
    functions = Functions({})
    sections = [
        Section(
            "DESCRIPTION",
            ["Functions, filters and fields of the templates of pyconsul-template. Those of Jinja2 itself exist, too."],
            literal=_EXAMPLE,
        ),
        Section(
            "EXAMPLES",
            ["The examples on this page were rendered from this fixture (-fixture); -> stands before their output."],
            literal=FIXTURE.splitlines(),
        ),
        Section("FUNCTIONS (JINJA2)", entries=list(_python(functions.mapping().items(), shown=str))),
        Section("FILTERS (JINJA2)", entries=list(_python(sorted(FILTERS.items()), shown=lambda name: f"|{name}"))),
        *examples("jinja2"),
        Section("FUNCTIONS (GO)", entries=list(_go(functions))),
        *examples("go"),
        Section(
            "FIELDS",
            ["In Go templates by the first name, in Jinja2 by either."],
            entries=list(map(_fields, _records())),
        ),
    ]
    name = "pyconsul-template-functions"
    summary = "functions, filters and fields of templates"
    return Page(name, summary, '{{ service("web") }}', "", sections, ["pyconsul-template"], number=7)


def _records() -> list[type[Record]]:
    return sorted(Record.__subclasses__(), key=lambda kind: kind.__name__)


def _first_line(call: Any) -> str:
    return (inspect.getdoc(call) or "").partition("\n")[0] if call is not None else ""


def _python(table: Iterable[tuple[str, Callable[..., Any]]], shown: Callable[[str], str]) -> Iterator[Entry]:
    for name, call in table:
        text = _first_line(call) if inspect.isroutine(call) else ""
        parameters = [str(p).partition(":")[0] for p in inspect.signature(call).parameters.values()]
        words = parameters[1:] if shown(name).startswith("|") else parameters
        yield f"{shown(name)}({', '.join(words)})", text


def _go(functions: Functions) -> Iterator[Entry]:
    table: dict[str, Function | None] = dict.fromkeys((*QUOTING, "json"))
    table.update(Helpers(os.environ, real_surroundings).functions())
    table.update(GoApi(functions).table())
    for name, call in sorted(table.items()):
        parameters = " ".join(_go_parameters(call)) if call is not None else "any"
        own = call.call if call is not None and (inspect.isfunction(call.call) or inspect.ismethod(call.call)) else None
        text = DESCRIPTIONS.get(name) or _first_line(own)
        yield f"{name} {parameters}".strip(), text or f"As {name.removeprefix('sprig_')} of Sprig."


def _go_parameters(call: Function) -> Iterator[str]:
    for kind in (*call.parameters, *([f"...{call.variadic}"] if call.variadic else [])):
        yield kind.replace("interface {}", "any").replace("*dependency.", "")


def _fields(kind: type[Record]) -> Entry:
    names = ", ".join(f"{name} ({snake_case(name)})" for name in kind.go_fields)
    return kind.__name__, f"{_first_line(kind)} {names}."
