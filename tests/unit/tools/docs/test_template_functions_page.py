"""The page of template functions names all that is registered."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from pyconsul.tools.docs.gofunctions import DESCRIPTIONS
from pyconsul.tools.docs.templateexamples import GROUPS
from pyconsul.tools.docs.templatefunctions import page
from pyconsul.tools.gotemplate.functions import collections, encoding, formats, numbers, texts
from pyconsul.tools.gotemplate.functions.sprig import table
from pyconsul.tools.template.evaluate.field_safety.quoting import QUOTING
from pyconsul.tools.template.evaluate.functions import Functions
from pyconsul.tools.template.evaluate.go_lookups import GoApi
from pyconsul.tools.template.evaluate.jinja_filters import FILTERS
from pyconsul.tools.template.feed.records import Record

WORDS = re.compile(r"\w+").findall
ENTRIES = {section.title: section.entries for section in page().sections}


@pytest.mark.parametrize(
    ("title", "names"),
    [
        ("FUNCTIONS (JINJA2)", [f"{name}(" for name in Functions({}).mapping()]),
        ("FILTERS (JINJA2)", [f"|{name}(" for name in FILTERS]),
        ("FUNCTIONS (GO)", [*GoApi(Functions({})).table(), "toTitle", "regexReplaceAll", "sprig_trunc"]),
        ("FIELDS", [kind.__name__ for kind in Record.__subclasses__()]),
    ],
)
def test_all_that_is_registered_is_described(title: str, names: list[str]) -> None:
    for name in names:
        assert any(tag.startswith(name) and text for tag, text in ENTRIES[title]), name


def test_fields_have_both_names() -> None:
    [text] = [text for tag, text in ENTRIES["FIELDS"] if tag == "HealthService"]
    assert "NodeAddress (node_address)" in text


def _calls(syntax: str) -> set[str]:
    return {word for group in GROUPS if group.syntax == syntax for text in group.templates for word in WORDS(text)}


def test_every_jinja2_function_and_filter_has_an_example() -> None:
    assert not (Functions({}).mapping().keys() | FILTERS.keys()) - _calls("jinja2")


@pytest.mark.parametrize(
    "family",
    [
        texts.FUNCTIONS,
        collections.FUNCTIONS,
        encoding.FUNCTIONS,
        formats.FUNCTIONS,
        numbers.FUNCTIONS,
        table.sprig_functions(table.SPRIG_NAMES),
        QUOTING,
        GoApi(Functions({})).table(),
    ],
)
def test_every_family_of_go_functions_has_examples(family: Mapping[str, object]) -> None:
    assert len(family.keys() & _calls("go")) >= 4


def test_every_go_function_is_described() -> None:
    """Sprig's are described by Sprig; a description of Python's own `dict.get` helps nobody."""
    described = dict(ENTRIES["FUNCTIONS (GO)"])
    assert [name for name, text in described.items() if "of Sprig." in text and not name.startswith("sprig_")] == []
    assert described["envOrDefault string string"].startswith("A variable of the environment")
    assert not [name for name in DESCRIPTIONS if not any(entry.split(" ")[0] == name for entry in described)]


def test_examples_are_shown_with_their_output() -> None:
    text = "\n".join(line for section in page().sections for line in section.literal)
    assert '{{ range ls "app/db" }}{{ .Key }}={{ .Value }} {{ end }}' in text
    assert '  -> {"host": "db1", "user": "o\'neil"}' in text
    assert "    - {node: n1, port: 8080" in text
