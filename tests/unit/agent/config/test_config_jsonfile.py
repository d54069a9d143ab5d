"""JSON files: Go's words for what is wrong."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconsul.agent.config.readers.jsonfile import parse_json


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{ this", "invalid character 't' looking for beginning of object key string"),
        ('{"a":1,}', "invalid character '}' looking for beginning of object key string"),
        ('{"a" 1}', "invalid character '1' after object key"),
        ('{"a":1 "b":2}', "invalid character '\"' after object key:value pair"),
        ('{"a":[1 2]}', "invalid character '2' after array element"),
        ('{"a":[1,]}', "invalid character ']' looking for beginning of value"),
        ('{"a":"x\ny"}', "invalid character '\\n' in string literal"),
        ('{"a":"\\q"}', "invalid character 'q' in string escape code"),
        ("{} x", "invalid character 'x' after top-level value"),
        ('{"a":tru}', "invalid character '}' in literal true (expecting 'e')"),
        ("nul", "unexpected end of JSON input"),
        ('{"a":-}', "invalid character '}' in numeric literal"),
        ('{"a":NaN}', "invalid character 'N' looking for beginning of value"),
        ("", "unexpected end of JSON input"),
        ('{"a":', "unexpected end of JSON input"),
        ('{"a":"x', "unexpected end of JSON input"),
        ("[]", "the outermost value must be an object"),
    ],
)
def test_says_what_go_says(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(words)}$"):
        parse_json(text)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=4))
def test_what_is_written_reads_back(value: dict[str, Any]) -> None:
    assert parse_json(json.dumps(value)) == value


@given(st.text(alphabet='{}[]",:\\u tfn0-1.e\n'))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(ValueError):
        parse_json(text)
