"""Go's reading of JSON, and its words for what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import go_json

from pyconsul.agent.httpapi.codec.gojson import JSONError, parse

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "EOF"),
        ("  \n", "EOF"),
        ("{", "unexpected EOF"),
        ('{"Name": "broken"', "unexpected EOF"),
        ('{"a": tru', "unexpected EOF"),
        ("not json", "invalid character 'o' in literal null (expecting 'u')"),
        ("x", "invalid character 'x' looking for beginning of value"),
        ("'", r"invalid character '\'' looking for beginning of value"),
        ("é", "invalid character 'Ã' looking for beginning of value"),
        ("{a: 1}", "invalid character 'a' looking for beginning of object key string"),
        ('{"a": 1,}', "invalid character '}' looking for beginning of object key string"),
        ('{"a" 1}', "invalid character '1' after object key"),
        ('{"a": 1 "b": 2}', "invalid character '\"' after object key:value pair"),
        ("[1 2]", "invalid character '2' after array element"),
        ('"a\nb"', r"invalid character '\n' in string literal"),
        (r'"\q"', "invalid character 'q' in string escape code"),
        (r'"\u00g0"', r"invalid character 'g' in \u hexadecimal character escape"),
        ("-a", "invalid character 'a' in numeric literal"),
        ("1.x", "invalid character 'x' after decimal point in numeric literal"),
        ("1e+x", "invalid character 'x' in exponent of numeric literal"),
    ],
)
def test_texts_of_errors(text: str, error: str) -> None:
    with pytest.raises(JSONError) as caught:
        parse(text.encode())
    assert str(caught.value) == error


@pytest.mark.parametrize(
    ("text", "value"),
    [(b"{} trailing", {}), (b'"a" x', "a"), (b"12]", 12), (b"\xff", None), (b'"\\ud800"', "�"), (b'"\xff"', "�")],
)
def test_texts_that_go_repairs_or_ignores(text: bytes, value: object) -> None:
    if value is None:
        with pytest.raises(JSONError):
            parse(text)
    else:
        assert parse(text) == value


def test_depth_is_bounded() -> None:
    with pytest.raises(JSONError):
        parse(b"[" * 100_000)


@given(VALUES, st.sampled_from(["", " ", "x", "{", '"']))
def test_first_value_of_anything(value: object, rest: str) -> None:
    blank = " " if rest else ""
    assert parse((json.dumps(value) + blank + rest).encode()) == value


@given(st.binary(max_size=40))
def test_never_raises_anything_else(text: bytes) -> None:
    with suppress(JSONError):
        parse(text)


@settings(deadline=None)
@given(VALUES)
def test_cut_off_is_an_unexpected_end(value: object) -> None:
    text = json.dumps([value]).encode()
    for end in range(1, len(text)):
        with pytest.raises(JSONError, match="unexpected EOF"):
            parse(text[:end])


PIECES = (
    *(b"{ } [ ] : , - + . e E 0 01 1 1.5 1. 1e5 1e 1e+ true tru fals null nu x '".split()),
    *(b'"a" "a": " \\ \\" "\\q" "\\u12 "\\u00e9" "\\ud800" "\\ud800\\ud800" \\ud83d\\ude00'.split()),
    *(b" ", b"\n", b"\x01", b"\xff", "é".encode(), b"1e400"),
)


@settings(max_examples=1500, deadline=None)
@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=2), max_size=12).map(b"".join))
def test_the_same_as_a_scanner_that_reads_byte_by_byte(text: bytes) -> None:
    def outcome(read: Callable[[bytes], Any]) -> str:
        try:
            return repr(read(text))
        except ValueError as error:
            return f"error: {error}"

    assert outcome(parse) == outcome(go_json.parse)
