"""One word of any text, read back by the real reader where there is one."""

from __future__ import annotations

import json
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyconsul.tools.template.evaluate.field_safety.formats import FORMAT_NAMES, format_named
from pyconsul.tools.template.evaluate.field_safety.placeholders import has_hidden, hide, unhide
from pyconsul.tools.template.evaluate.field_safety.quoting import haproxy, json_text, nginx, raw, shell
from pyconsul.tools.template.haproxy.config import decode, tokenise

PRINTABLE = st.text(alphabet=st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=20)
TRICKY = st.text(alphabet="ab'\"\\#$ ;{}", max_size=10)


@given(st.one_of(PRINTABLE, TRICKY))
def test_haproxy_reads_one_word(text: str) -> None:
    words = tokenise(f"x {haproxy(text)} y")
    assert len(words) == 3
    if not words[1].startswith('"'):
        assert decode(words[1]) == text
    assert format_named("haproxy").structure(f"x {haproxy(text)} y").replace("$", "") == "w w w"


@given(st.one_of(PRINTABLE, TRICKY))
def test_nginx_reads_one_word(text: str) -> None:
    if "$" in text:
        with pytest.raises(ValueError, match="dollar"):
            nginx(text)
    else:
        assert format_named("nginx").structure(f"x {nginx(text)} y;") == "w w w;"


@settings(max_examples=20, deadline=None)
@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=20))
def test_a_shell_reads_one_word(text: str) -> None:
    got = subprocess.run(["sh", "-c", f"printf %s {shell(text)}"], capture_output=True, check=True).stdout
    assert got == text.encode()


@given(st.text())
def test_json_reads_it_back(text: str) -> None:
    assert json.loads(json_text(text)) == text


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("Co",))))
def test_stand_ins_can_be_turned_back(text: str) -> None:
    for format in map(format_named, FORMAT_NAMES):
        hidden = hide(text, format.dangerous)
        assert unhide(hidden) == raw(hidden) == text
        assert has_hidden(hidden) == (hidden != text)


@pytest.mark.parametrize("quote", [haproxy, nginx])
def test_control_characters_cannot_be_written(quote: object) -> None:
    assert callable(quote)
    with pytest.raises(ValueError, match="control character"):
        quote("a\nb")
