"""Lists of JSON in pieces: the same items as the decoder for whole documents finds, and the place of a mistake."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconsul.cli.kv.json_stream import Malformed, items

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@given(st.lists(VALUES, max_size=6), st.integers(1, 40), st.booleans(), st.sampled_from([None, 2, "\t"]))
def test_any_list_in_pieces_of_any_size(document: list[Any], size: int, ascii_only: bool, indent: Any) -> None:
    data = json.dumps(document, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "surrogatepass")
    try:
        data.decode()
    except UnicodeDecodeError:
        return
    assert list(items(cut(data, size))) == document


@pytest.mark.parametrize("text", ["[]", " [ ] ", "null", "\ufeff[]", "\n[\n]\n"])
def test_nothing(text: str) -> None:
    assert list(items([text.encode()])) == []


BROKEN = [
    ("", "nothing there", 0),
    ("not json", "expecting value", 0),
    ("{}", "expected a list", 0),
    ("[1 2]", "expected ',' or ']'", 3),
    ("[1,]", "expected a value", 3),
    ("[1", "the list is not ended", 2),
    ("[1,", "expecting value", 3),
    ("[,1]", "expecting value", 1),
    ("[1] x", "extra data", 4),
    ("[]]", "extra data", 2),
    ("null null", "extra data", 5),
    ('["ä", {"b": tru}]', "expecting value", 13),
    ('["a", "b', "unterminated string", 6),
    ('[{"a" 1}]', "expecting ':' delimiter", 6),
    ("[1,\n2,\n oops]", "expecting value", 8),
]


@pytest.mark.parametrize(("text", "reason", "offset"), BROKEN)
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_a_mistake_is_named_with_its_place(text: str, reason: str, offset: int, size: int) -> None:
    with pytest.raises(Malformed, match=reason.replace("[", r"\[")) as caught:
        list(items(cut(text.encode(), size)))
    assert caught.value.offset == offset
    assert caught.value.line == text.encode()[:offset].count(b"\n") + 1


def test_invalid_utf_8() -> None:
    with pytest.raises(Malformed, match="not UTF-8") as caught:
        list(items([b'["a', b'b\xff"]']))
    assert caught.value.offset == 4


def test_only_a_piece_and_an_item_are_held() -> None:
    """An item comes out before what follows is asked for."""
    asked = 0

    def pieces() -> Iterator[bytes]:
        nonlocal asked
        yield b"["
        for number in range(1000):
            asked = number
            yield b'{"n": %d},' % number
        yield b"0]"

    for number, item in enumerate(items(pieces())):
        if number < 1000:
            assert item == {"n": number}
            assert asked - number <= 2


@given(st.binary(max_size=40), st.integers(1, 10))
def test_anything_else_is_refused_and_nothing_crashes(data: bytes, size: int) -> None:
    found, offset = None, 0
    try:
        found = list(items(cut(data, size)))
    except Malformed as error:
        offset = error.offset
    assert 0 <= offset <= len(data)
    if found is not None:
        assert (json.loads(data.decode("utf-8-sig")) or []) == found
