"""JSON, YAML and TOML as Go's libraries read and write them."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconsul.tools.gotemplate.errors import GoError
from pyconsul.tools.gotemplate.runtime.values import Map, Uint64
from pyconsul.tools.gotemplate.text.json_text import parse_json, to_json
from pyconsul.tools.gotemplate.text.toml_text import to_toml
from pyconsul.tools.gotemplate.text.yaml_text import parse_yaml, to_yaml

NO_SURROGATES = st.text(st.characters(blacklist_categories=["Cs"]), max_size=20)
SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
DATA = st.recursive(
    SCALARS | NO_SURROGATES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NO_SURROGATES, inner, max_size=4),
)


@given(DATA, st.booleans())
def test_json_reads_back(value: Any, pretty: bool) -> None:
    read = json.loads(to_json(value, pretty), parse_int=float)
    assert read == json.loads(json.dumps(value), parse_int=float)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1e-7, "1e-7"),
        (0.000001, "0.000001"),
        (-0.0, "-0"),
        ("<a>&\u2028\x01\x7f", r'"\u003ca\u003e\u0026\u2028\u0001' + '\x7f"'),
        ("\udcff", '"\ufffd"'),
        ({"b": 1, "a": []}, '{"a":[],"b":1}'),
        (Map("map[int]string", {10: "x", 9: "y"}), '{"10":"x","9":"y"}'),
    ],
)
def test_json_texts(value: Any, text: str) -> None:
    assert to_json(value) == text


def test_json_of_other_values() -> None:
    for value in (float("nan"), float("inf"), Map("map[interface {}]interface {}"), print):
        with pytest.raises(GoError):
            to_json(value)


@pytest.mark.parametrize("text", ["{", "[1,]", "NaN", "-Infinity", "1e999", "'a'", "{} {}", "\ufeff1", "[" * 100_000])
def test_bad_json(text: str) -> None:
    with pytest.raises(GoError):
        parse_json(text)


def test_json_numbers_are_floats_and_halves_of_pairs_are_replaced() -> None:
    assert parse_json("[1]") == [1.0]
    assert type(parse_json("1")) is float
    assert parse_json(r'"\ud800x\ud83d\ude00"') == "\ufffdx😀"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", True),
        ("N", False),
        ("~", None),
        ("0x10", 16),
        ("0o17", 15),
        ("017", 15),
        ("0b11", 3),
        ("1_000", 1000),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".inf", float("inf")),
        ("12e03", 12000.0),
        ("1:30", "1:30"),
        ("2020-01-01", "2020-01-01"),
        ("'on'", "on"),
        ("18446744073709551615", Uint64(2**64 - 1)),
        ("- a\n- b: 1", ["a", {"b": 1}]),
        ("y: n", {True: False}),
        ("a: &x {b: 1}\nc: {<<: *x, d: 2}", {"a": {"b": 1}, "c": {"b": 1, "d": 2}}),
        ("a\n---\nb", "a"),
        ("", None),
        ("!!binary aGk=", "hi"),
        ("!!str 5", "5"),
        ("a: 1\na: 2", {"a": 2}),
    ],
)
def test_yaml_values(text: str, value: Any) -> None:
    assert parse_yaml(text) == value


@pytest.mark.parametrize("text", ["a: [", "\t- a", "{[1]: 2}", "*x", "!!python/object:os.system {}", "a: b: c"])
def test_bad_yaml(text: str) -> None:
    with pytest.raises(GoError):
        parse_yaml(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a10": 1, "a2": 2, "B": 3, "b": 4, "1": 5}, '"1": 5\nB: 3\na2: 2\na10: 1\nb: 4'),
        ("x", "x"),
        ("on", '"on"'),
        ("1.5", '"1.5"'),
        ("12:30", '"12:30"'),
        ("", '""'),
        (" x", "' x'"),
        ("a: b", "'a: b'"),
        ("a\nb\n", "|\n  a\n  b"),
        (1e6, "1e+06"),
        (1.0, "1"),
        (None, "null"),
        ([], "[]"),
        ({}, "{}"),
        ([[1], {"a": 2}], "- - 1\n- a: 2"),
        (Map("map[interface {}]interface {}", {True: 1, "a": 2, 3: 4}), "true: 1\n3: 4\na: 2"),
        ("word " * 20 + "end", "word " * 16 + "word\n  word word word end"),
        ("\udcff", "!!binary '/w=='"),
        ("😀", "😀"),
    ],
)
def test_yaml_texts(value: Any, text: str) -> None:
    assert to_yaml(value) == text


@given(
    st.recursive(
        st.booleans()
        | st.none()
        | st.integers(-(2**60), 2**60)
        | st.text("abcyn01:- #'\"é\n", max_size=12).map(lambda text: text.strip("\n")),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abcn01-", max_size=4), inner, max_size=3),
    )
)
def test_yaml_reads_back(value: Any) -> None:
    # The blanks and newlines at its end are not part of what toYAML gives.
    if not isinstance(value, str):
        assert parse_yaml(to_yaml(value) + "\n") == value


@given(
    st.dictionaries(
        NO_SURROGATES,
        st.recursive(
            st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | NO_SURROGATES,
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NO_SURROGATES, inner, max_size=3),
        ),
        max_size=4,
    )
)
def test_toml_reads_back(value: dict[str, Any]) -> None:
    assert tomllib.loads(to_toml(value)) == value


def test_toml_layout() -> None:
    value = {
        "t": {"k": "v", "s": {"d": 1.0}, "l": [{"x": 1}]},
        "n": 3.0,
        "b c": [1, "a"],
        "nil": None,
        "at": [{"a": 1}, {"a": 2}],
    }
    assert to_toml(value) == (
        '"b c" = [1, "a"]\nn = 3.0\n\n[[at]]\n  a = 1\n\n[[at]]\n  a = 2\n\n[t]\n  k = "v"\n\n  [[t.l]]\n    x = 1\n'
        "  [t.s]\n    d = 1.0"
    )


def test_bad_toml() -> None:
    for value in (None, [{"a": 1}], {"a": [None]}, Map("map[interface {}]interface {}", {1: 2}), {"a": print}):
        with pytest.raises(GoError):
            to_toml(value)
