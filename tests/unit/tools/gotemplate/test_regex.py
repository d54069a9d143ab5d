"""Go's regular expressions: what Python writes differently, and what RE2 refuses."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconsul.tools.gotemplate.errors import GoError
from pyconsul.tools.gotemplate.text.regex import compile_regex, replace_all, split


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (r"a(?i)b|c", "AB aB C", ["aB", "C"]),
        (r"(?i:a)b", "Ab AB", ["Ab"]),
        (r"b$", "b\n", []),
        (r"(?m)^b$", "a\nb\n", ["b"]),
        (r"a\z", "a", ["a"]),
        (r"[[:alpha:]]+[^[:^digit:]]", "ab1 c", ["ab1"]),
        (r"\d+", "1٣", ["1"]),
        (r"\w+", "aé", ["a"]),
        (r"\p{Lu}\pL", "Éa b", ["Éa"]),
        (r"\Qa.b\E+", "a.bb axb", ["a.bb"]),
        (r"(?U)a+", "aaa", ["a", "a", "a"]),
        (r"(?s)a.b", "a\nb", ["a\nb"]),
        (r"a.b", "a\nb", []),
        (r"a{,2}", "a{,2}", ["a{,2}"]),
        (r"x{", "x{", ["x{"]),
        (r"[]a]+", "]a", ["]a"]),
        (r"[[a&&b|~~c-]+", "[a&b-c", ["[a&b-c"]),
        (r"\x{1F600}\x41", "😀A", ["😀A"]),
        (r"a*", "baaac", ["", "aaa", ""]),
        (r"|a", "aa", ["", "", ""]),
    ],
)
def test_matches(pattern: str, text: str, found: list[str]) -> None:
    assert [match.group() for match in compile_regex(pattern).matches(text)] == found


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("(?=x)", "invalid or unsupported Perl syntax: `(?=`"),
        ("(?<!x)", "invalid or unsupported Perl syntax: `(?<!`"),
        ("(?>x)", "invalid or unsupported Perl syntax: `(?>`"),
        (r"(a)\1", r"invalid escape sequence: `\1`"),
        ("a**", "invalid nested repetition operator: `**`"),
        ("a*+", "invalid nested repetition operator: `*+`"),
        ("*a", "missing argument to repetition operator: `*`"),
        ("a{2,1}", "invalid repeat count: `{2,1}`"),
        ("a{1001}", "invalid repeat count: `{1001}`"),
        ("(", "missing closing ): `(`"),
        (")", "unexpected ): `)`"),
        ("[a", "missing closing ]: `[a`"),
        ("[z-a]", "invalid character class range: `z-a`"),
        (r"\Z", r"invalid escape sequence: `\Z`"),
        ("a\\", "trailing backslash at end of expression: ``"),
        (r"\p{Nope}", r"invalid character class range: `\p{Nope}`"),
    ],
)
def test_refused(pattern: str, problem: str) -> None:
    with pytest.raises(GoError) as caught:
        compile_regex(pattern)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("replacement", "result"),
    [
        ("$1x", ""),
        ("${1}x", "kx"),
        ("$k-$v", "k-v"),
        ("$$1", "$1"),
        ("$", "$"),
        ("${9}", ""),
        ("${", "${"),
        ("$0", "k=v"),
    ],
)
def test_replacements(replacement: str, result: str) -> None:
    assert replace_all("(?P<k>k)=(?<v>v)", replacement, "k=v") == result


def test_matching_takes_linear_time() -> None:
    assert compile_regex("^(a+)+$").search("a" * 60 + "b") is None


def test_bytes_that_are_no_text_survive() -> None:
    assert replace_all("b|", "-", "é\udcffb") == "-é-\udcff-"


def test_empty_matches_are_replaced_between_others() -> None:
    assert replace_all("a*", "-", "baac") == "-b-c-"


def test_split() -> None:
    assert split("z+", "pizza", -1) == ["pi", "a"]
    assert split("z", "pizza", 2) == ["pi", "za"]
    assert split("", "ab", -1) == ["a", "b"]
    assert split("x", "", -1) == [""]
    assert split("x", "axb", 0) == []


@given(st.text(alphabet="ab()[]{}*+?|\\^$.-,:=!<>P12diQEpLxz", max_size=12), st.text(max_size=8))
def test_only_go_errors(pattern: str, text: str) -> None:
    with suppress(GoError):
        assert isinstance(replace_all(pattern, "<$0>", text), str)
