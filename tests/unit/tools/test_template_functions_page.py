"""The page of template functions names all that is registered."""

from __future__ import annotations

import pytest

from pyconsul.tools.docs.templatefunctions import page
from pyconsul.tools.template.filters import FILTERS
from pyconsul.tools.template.functions import Functions
from pyconsul.tools.template.goapi import GoApi
from pyconsul.tools.template.records import Record

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
