"""Filters of Jinja2 templates."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconsul.tools.template.evaluate import jinja_filters
from pyconsul.tools.template.evaluate.jinja_filters import FILTERS
from pyconsul.tools.template.feed.records import KeyPair

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON)
def test_json_there_and_back(value: object) -> None:
    assert jinja_filters.parse_json(jinja_filters.to_json(value)) == value


@given(st.text(st.characters(codec="utf-8")))
def test_base64_there_and_back(text: str) -> None:
    assert jinja_filters.base64_decode(jinja_filters.base64_encode(text)) == text
    assert jinja_filters.base64_url_decode(jinja_filters.base64_url_encode(text)) == text


def test_yaml() -> None:
    assert jinja_filters.to_yaml({"b": [1, "x"], "a": None}) == "a: null\nb:\n- 1\n- x"
    assert jinja_filters.parse_yaml("a: [1, two]") == {"a": [1, "two"]}
    with pytest.raises(ValueError, match="parse_yaml"):
        jinja_filters.parse_yaml("a: [")


def test_hashes() -> None:
    assert FILTERS["md5"]("myString") == "91c65b6feeb5a6ad66b30e2ebd9405e1"
    assert FILTERS["sha256"]("bladibla") == "54cf4c66bcabb5c20e25331c01dd600b73369e97a947861bd8d3a0e0b8b3d70b"
    assert FILTERS["sha1"]("") == "da39a3ee5e6b4b0d3255bfef95601890afd80709"


def test_regular_expressions() -> None:
    assert jinja_filters.regex_match("foo.bar", r"o\.b")
    assert jinja_filters.regex_replace("john smith", r"(\w+) (\w+)", r"\2, \1") == "smith, john"
    assert jinja_filters.regex_replace("k=é", r"(?P<key>\w)=", r"\g<key>\n\\ü\0") == "k\n\\ük=é"
    assert jinja_filters.regex_findall("a1b22", r"\d+") == ["1", "22"]
    assert jinja_filters.regex_findall("a1b22", r"[a-z](\d+)") == ["1", "22"]
    assert jinja_filters.regex_findall("a1b22", r"([a-z])(\d+)") == [("a", "1"), ("b", "22")]
    assert not jinja_filters.regex_match("a" * 60 + "b", r"^(a+)+$")  # in linear time


def test_a_record_as_json() -> None:
    assert jinja_filters.parse_json(jinja_filters.to_json([KeyPair("p/k", "k", "v")]))[0]["Value"] == "v"


def test_a_folder_wins_over_a_key_of_its_name() -> None:
    pairs = [KeyPair("a", "a", "1"), KeyPair("a/b", "a/b", "2"), KeyPair("a", "a", "3")]
    assert jinja_filters.explode(pairs) == {"a": {"b": "2"}}


@pytest.mark.parametrize("name", ["base64_decode", "base64_url_decode"])
def test_bad_base64(name: str) -> None:
    with pytest.raises(ValueError, match="base64_decode"):
        FILTERS[name]("***")
