"""HCL as Consul's files have it."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyconsul.agent.config.readers.hclfile import HCLError, parse_hcl


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
        (
            'config_entries { bootstrap = [ { kind="proxy-defaults" name="global" config { x = 1 } } ] }',
            {"config_entries": [{"bootstrap": [{"kind": "proxy-defaults", "name": "global", "config": [{"x": 1}]}]}]},
        ),
        (
            'a = [\n {\n  b = 1\n  c {\n   d = 2\n  }\n  c {\n   d = 3\n  }\n },\n { "b" = 4, e.f = [5, { g = 6 h = 7 }] }\n]',
            {"a": [{"b": 1, "c": [{"d": 2}, {"d": 3}]}, {"b": 4, "e.f": [5, {"g": 6, "h": 7}]}]},
        ),
        ('a = [{ b { c { d = 1 } e = "{" } }]', {"a": [{"b": [{"c": [{"d": 1}], "e": "{"}]}]}),
        ('{"a": {"b": [1, "c"]}}', {"a": {"b": [1, "c"]}}),
    ],
)
def test_reads_what_consul_reads(text: str, value: Any) -> None:
    assert parse_hcl(text) == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('service { name = "x" ', r"line 1, column 9: the block service \{ is never closed; it ends with \}"),
        ("a = \n", "line"),
        ('a = "b" + "c"', "line 1, column 9"),
        ("a = b", 'line 1, column 5: put the value in quotes: "b": a = b'),
        ('x = 1\ntoken = "secret-token', "line 2"),
        ("} a = 1", "line 1"),
        ('{"a": ', "unexpected end of JSON input"),
    ],
)
def test_says_where_it_cannot_read(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        parse_hcl(text)
    assert "secret-token" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "mistakes"),
    [
        (
            "datacenter = dc1\nports {\n  http = -1\n  dns = no\n",
            [
                '1:14 put the value in quotes: "dc1": datacenter = dc1',
                "2:7 the block ports { is never closed; it ends with }: ports {",
                '4:9 put the value in quotes: "no": dns = no',
            ],
        ),
        (
            "acl { tokens { agent = 5f0e6f6c-3d3a } }",
            ["1:24 put the value of agent in quotes: acl { tokens { agent = … } }"],
        ),
        ('a = "x\nb = 1', ['1:5 the quote is never closed: a = "…']),
        ("a = [1, 2 }", ['1:11 "}" does not close the "[" of line 1: a = [1, 2 }']),
        ("a = [1, 2\nb = 3\n", ["1:5 the list of a is never closed; it ends with ]: a = [1, 2"]),
        ("a\nb = 1", ["1:2 a must be followed by = and a value, or by a block in braces: a"]),
        ("a =\nb = 1", ["1:4 a has no value; it must begin on the same line: a ="]),
        ("a = ", ["1:4 a has no value: a ="]),
        ("a = 1\n}", ['2:1 "}" closes nothing: }']),
        ('a = ["b" "c"]', ['1:10 a comma is missing before this item: a = ["…" "…"]']),
        ("= 1", ['1:1 no key before "=": = 1']),
    ],
)
def test_all_mistakes_with_their_places(text: str, mistakes: list[str]) -> None:
    with pytest.raises(HCLError) as caught:
        parse_hcl(text)
    assert [f"{one.line}:{one.column} {one.text}" for one in caught.value.mistakes] == mistakes


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
