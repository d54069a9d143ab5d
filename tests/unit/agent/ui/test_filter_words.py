"""Completion of filter expressions."""

from __future__ import annotations

import pytest

from pyconsul.agent.filter.compile import compile_filter
from pyconsul.agent.model.catalog import CatalogService
from pyconsul.agent.ui.pages.services.filter_words import MOST, complete

NAMES = {
    "ServiceTags": ["prod", "v1", 'odd"tag'],
    "Node": ["n1", "n2"],
    "ServiceName": ["api", "web"],
    "ServiceMeta": ["rack", "a b"],
    "ServiceMeta.rack": ["r1", "r2"],
    "NodeMeta": ["zone"],
}


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("Serv", "ServiceTags contains "),
        ("ServiceTags ", "ServiceTags contains "),
        ("ServiceTags con", "ServiceTags contains "),
        ("ServiceTags contains ", 'ServiceTags contains "prod"'),
        ("ServiceTags contains pr", 'ServiceTags contains "prod"'),
        ('ServiceTags contains "odd', r'ServiceTags contains "odd\x22tag"'),
        ('ServiceTags contains "prod" and No', 'ServiceTags contains "prod" and Node == '),
        ('ServiceTags contains "prod" and Node == ', 'ServiceTags contains "prod" and Node == "n2"'),
        ('Node == "n1"', 'Node == "n1" and '),
        ("ServiceM", "ServiceMeta.rack == "),
        ("ServiceM", 'ServiceMeta["a b"] == '),
        ("ServiceMeta.rack == ", 'ServiceMeta.rack == "r2"'),
        ("not Serv", "not ServiceTags contains "),
    ],
)
def test_what_exists_is_offered(typed: str, offered: str) -> None:
    assert offered in complete(typed, NAMES)


def test_whole_comparisons_can_be_used() -> None:
    for typed in (
        "ServiceTags contains ",
        "Node == ",
        "ServiceMeta.rack == ",
        'ServiceMeta["a b"] == "',
        "ServiceName matches ",
    ):
        for expression in complete(typed, {**NAMES, 'ServiceMeta["a b"]': ["x"]}):
            compile_filter(expression, CatalogService)


def test_words_and_large_catalogs_offer_little() -> None:
    assert complete("web v1", NAMES) == []
    assert len(complete("Node == ", {"Node": [f"n{number}" for number in range(1000)]})) == MOST
