"""Small pure parts: percent-encoding and the distance between coordinates."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconsul.agent.common.http_answer import quote
from pyconsul.cli.commands.cluster.rtt import distance


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_quote_is_undone_by_unquote(text: str) -> None:
    assert unquote_to_bytes(quote(text)) == text.encode()
    assert "/" not in quote(text, slash=False)
    assert quote(text).isascii()


def test_quote() -> None:
    assert quote("a b/c?d#ä%") == "a%20b/c%3Fd%23%C3%A4%25"
    assert quote("a/b", slash=False) == "a%2Fb"
    assert quote("\udcff") == "%FF"  # a byte that is no UTF-8, as the command line gives it


def test_distance() -> None:
    one = {"Vec": [0.0, 0.0], "Height": 0.001, "Adjustment": 0.0}
    two = {"Vec": [0.003, 0.004], "Height": 0.002, "Adjustment": 0.001}
    assert distance(one, two) == pytest.approx(0.009)
    assert distance(one, {**two, "Adjustment": -1.0}) == pytest.approx(0.008)
