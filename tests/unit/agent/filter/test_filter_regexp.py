"""Regular expressions: RE2's syntax, with the faults named as Go names them."""

from __future__ import annotations

import pytest

from pyconsul.agent.filter.regexp import RegexpError, compile_regexp


@pytest.mark.parametrize(
    ("pattern", "fault"),
    [
        ("(", "missing closing ): `(`"),
        ("[", "missing closing ]: `[`"),
        ("*", "missing argument to repetition operator: `*`"),
        ("a**", "invalid nested repetition operator: `**`"),
        ("a)", "unexpected ): `a)`"),
        ("\\y", "invalid escape sequence: `\\y`"),
        ("a\\", "trailing backslash at end of expression: ``"),
        ("[z-a]", "invalid character class range: `z-a`"),
        ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
        ("a{1001}", "invalid repeat count: `{1001}`"),
        ("(?P<n", "invalid named capture: `(?P<n`"),
        ("\ud800", "invalid UTF-8: ``"),
    ],
)
def test_faults(pattern: str, fault: str) -> None:
    with pytest.raises(RegexpError) as caught:
        compile_regexp(pattern)
    assert str(caught.value) == f"error parsing regexp: {fault}"


def test_a_match_may_be_anywhere() -> None:
    assert compile_regexp("b")("abc")
    assert not compile_regexp("^b")("abc")


def test_the_end_is_the_end() -> None:
    assert not compile_regexp("b$")("b\n")


def test_texts_beyond_ascii() -> None:
    assert compile_regexp("^.é$")("éé")
