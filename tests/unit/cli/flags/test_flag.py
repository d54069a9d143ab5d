"""Flags as Go's `flag` package reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconsul.cli.errors import HelpRequested, UsageError
from pyconsul.cli.flags import flag

FLAGS = (
    flag.text("name", "a text", "nobody"),
    flag.switch("stale", "a boolean"),
    flag.switch("shell", "a boolean that is on", True),
    flag.number("n", "a number", 1),
    flag.unsigned("cas", "an index"),
    flag.seconds("timeout", "a duration"),
    flag.texts("tag", "texts"),
    flag.pairs("meta", "pairs"),
    flag.text("format", "a choice", "table", choices=("table", "json")),
)


def test_defaults() -> None:
    args = flag.parse(FLAGS, [])
    assert args.text("name") == "nobody"
    assert args.switch("stale") is False
    assert args.switch("shell") is True
    assert args.number("n") == 1
    assert args.seconds("timeout") == 0
    assert args.texts("tag") == []
    assert args.pairs("meta") == {}
    assert args.rest == []
    assert not args.given("name")


@pytest.mark.parametrize("words", [["-name", "x"], ["--name", "x"], ["-name=x"], ["--name=x"]])
def test_the_four_spellings(words: list[str]) -> None:
    args = flag.parse(FLAGS, [*words, "rest"])
    assert args.text("name") == "x"
    assert args.given("name")
    assert args.rest == ["rest"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [(["-stale"], True), (["-stale=false"], False), (["-stale=T"], True), (["-stale", "-stale=0"], False)],
)
def test_a_boolean_takes_its_value_only_after_an_equals_sign(words: list[str], expected: bool) -> None:
    args = flag.parse(FLAGS, [*words, "false"])
    assert args.switch("stale") is expected
    assert args.rest == ["false"]


def test_flags_end_at_the_first_argument() -> None:
    assert flag.parse(FLAGS, ["key", "-stale"]).rest == ["key", "-stale"]
    assert flag.parse(FLAGS, ["-stale", "--", "-name"]).rest == ["-name"]
    assert flag.parse(FLAGS, ["-stale", "-", "-name"]).rest == ["-", "-name"]
    assert flag.parse(FLAGS, ["dash", "--", "-x"]).rest == ["dash", "--", "-x"]


def test_values_of_every_kind() -> None:
    words = ["-n=-3", "-cas", "0x10", "-timeout=1m30s", "-tag=a", "-tag", "b", "-meta=k=v=w", "-meta", "x=", "-name="]
    args = flag.parse(FLAGS, words)
    assert args.number("n") == -3
    assert args.number("cas") == 16
    assert args.seconds("timeout") == 90
    assert args.texts("tag") == ["a", "b"]
    assert args.pairs("meta") == {"k": "v=w", "x": ""}
    assert args.given("name")
    assert args.text("name") == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-nmae=x"], "flag provided but not defined: -nmae. Did you mean -name?"),
        (["-zzzzzz"], "flag provided but not defined: -zzzzzz"),
        (["-name"], "flag needs an argument: -name"),
        (["-n=x"], 'invalid value "x" for flag -n: use a whole number'),
        (["-cas=-1"], "from 0 to"),
        (["-timeout=5"], 'such as "500ms"'),
        (["-stale=perhaps"], "use true or false"),
        (["-meta=x"], "use key=value"),
        (["-format=xml"], "use one of table, json"),
        (["---name=x"], "bad flag syntax: ---name=x"),
        (["-=x"], "bad flag syntax: -=x"),
    ],
)
def test_errors_say_what_is_wrong_and_what_is_allowed(words: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        flag.parse(FLAGS, words)
    assert message in str(caught.value)


@pytest.mark.parametrize("word", ["-h", "-help", "--help", "--h"])
def test_help(word: str) -> None:
    with pytest.raises(HelpRequested):
        flag.parse(FLAGS, ["-stale", word])


@given(st.text(), st.lists(st.text().filter(lambda word: not word.startswith("-"))))
def test_any_text_is_taken_as_it_is(value: str, rest: list[str]) -> None:
    for words in (["-name", value], [f"-name={value}"]):
        args = flag.parse(FLAGS, [*words, *rest])
        assert args.text("name") == value
        assert args.rest == rest


@given(st.lists(st.text(max_size=12), max_size=5))
def test_no_command_line_makes_it_crash(words: list[str]) -> None:
    try:
        args = flag.parse(FLAGS, words)
    except (UsageError, HelpRequested):
        return
    assert args.rest == words[len(words) - len(args.rest) :]
