"""HCL as Consul's files have it."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyconsul.agent.config.hclfile import parse_hcl


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", {}),
        ("# only a comment", {}),
        ('a = "x"\nb = true\nc = 3\nd = 1.5\ne = -1', {"a": "x", "b": True, "c": 3, "d": 1.5, "e": -1}),
        ("a = true\r\nb = 2\r\n", {"a": True, "b": 2}),
        ('// one\n/* two\n */ a = "b#c" # three', {"a": "b#c"}),
        ("ports { http = 1 }", {"ports": [{"http": 1}]}),
        ("ports = { http = 1, dns = 2 }", {"ports": [{"http": 1, "dns": 2}]}),
        ("ports { http = 1, dns = 2 }", {"ports": [{"http": 1, "dns": 2}]}),
        ('"acl" {\n "enabled" = true\n}', {"acl": [{"enabled": True}]}),
        ('service { name = "x" port = 80 }', {"service": [{"name": "x", "port": 80}]}),
        ('service = { name = "a" }\nservice = { name = "b" }', {"service": [{"name": "a"}, {"name": "b"}]}),
        ('ttl { "*" = "5s" "web" = "30s" }', {"ttl": [{"*": "5s", "web": "30s"}]}),
        ('a = [\n  "x",\n  "y",\n]', {"a": ["x", "y"]}),
        (
            'checks = [{ id = "a", "x" = { "y" = 1 } }, { id = "b" }]',
            {"checks": [{"id": "a", "x": {"y": 1}}, {"id": "b"}]},
        ),
        ('a = "q\\"\\n\\t\\\\u\\u00e9"', {"a": 'q"\n\t\\ué'}),
        ('a = ["echo $${x} ${y} %{z} $1"]', {"a": ["echo $${x} ${y} %{z} $1"]}),
        ("a = <<EOF\none\n two\nEOF\nb = 1", {"a": "one\n two\n", "b": 1}),
        ("a = <<-EOF\n  one\n   two\n  EOF\n", {"a": "one\n two\n"}),
        ("a = <<EOF\nEOF\n", {"a": ""}),
        ("a.b = 1", {"a.b": 1}),
        ('{"a": {"b": [1, "c"]}}', {"a": {"b": [1, "c"]}}),
    ],
)
def test_reads_what_consul_reads(text: str, value: Any) -> None:
    assert parse_hcl(text) == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('service { name = "x" ', "ends too early"),
        ("a = \n", "line"),
        ('a = "b" + "c"', "texts in quotes"),
        ("a = b", "texts in quotes"),
        ('x = 1\ntoken = "secret-token', "line 2"),
        ("} a = 1", "line 1"),
        ('{"a": ', "unexpected end of JSON input"),
    ],
)
def test_says_where_it_cannot_read(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        parse_hcl(text)
    assert "secret-token" not in str(caught.value)


TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters='"\\'), max_size=12)
NAMES = st.from_regex(r"[a-z][a-z_]{0,8}", fullmatch=True).filter(
    lambda name: name not in ("true", "false", "null", "for", "in", "if", "else", "endif", "endfor", "for_each")
)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(NAMES, TEXTS | st.integers(0, 10**6) | st.booleans(), max_size=5))
def test_what_is_written_reads_back(values: dict[str, Any]) -> None:
    def written(value: Any) -> str:
        return f'"{value}"' if isinstance(value, str) else str(value).lower()

    text = "\n".join(f"{key} = {written(value)}" for key, value in values.items())
    assert parse_hcl(text) == values
    assert parse_hcl(f"section {{\n{text}\n}}") == {"section": [values]}


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet='ab={}[]",:\n<-#/*$ 1"'))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(ValueError):
        parse_hcl(text)
