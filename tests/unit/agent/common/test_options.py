"""Flags as Go's `flag` package reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconsul.agent.common.options import (
    HelpRequested,
    OptionError,
    number,
    pairs,
    parse,
    seconds,
    switch,
    text,
    texts,
    unsigned,
)

NAME = text("name", "a text", "nobody")
STALE = switch("stale", "a boolean")
SHELL = switch("shell", "a boolean that is on", True)
N = number("n", "a number", 1)
CAS = unsigned("cas", "an index")
TIMEOUT = seconds("timeout", "a duration")
TAG = texts("tag", "texts")
META = pairs("meta", "pairs")
FORMAT = text("format", "a choice", "table", choices=("table", "json"))
FLAGS = (NAME, STALE, SHELL, N, CAS, TIMEOUT, TAG, META, FORMAT)


def test_defaults() -> None:
    args = parse(FLAGS, [])
    assert args[NAME] == "nobody"
    assert args[STALE] is False
    assert args[SHELL] is True
    assert args[N] == 1
    assert args[TIMEOUT] == 0
    assert args[TAG] == []
    assert args[META] == {}
    assert args.rest == []
    assert not args.given(NAME)


@pytest.mark.parametrize("words", [["-name", "x"], ["--name", "x"], ["-name=x"], ["--name=x"]])
def test_the_four_spellings(words: list[str]) -> None:
    args = parse(FLAGS, [*words, "rest"])
    assert args[NAME] == "x"
    assert args.given(NAME)
    assert args.rest == ["rest"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [(["-stale"], True), (["-stale=false"], False), (["-stale=T"], True), (["-stale", "-stale=0"], False)],
)
def test_a_boolean_takes_its_value_only_after_an_equals_sign(words: list[str], expected: bool) -> None:
    args = parse(FLAGS, [*words, "false"])
    assert args[STALE] is expected
    assert args.rest == ["false"]


def test_flags_end_at_the_first_argument() -> None:
    assert parse(FLAGS, ["key", "-stale"]).rest == ["key", "-stale"]
    assert parse(FLAGS, ["-stale", "--", "-name"]).rest == ["-name"]
    assert parse(FLAGS, ["-stale", "-", "-name"]).rest == ["-", "-name"]
    assert parse(FLAGS, ["dash", "--", "-x"]).rest == ["dash", "--", "-x"]


def test_values_of_every_kind() -> None:
    words = ["-n=-3", "-cas", "0x10", "-timeout=1m30s", "-tag=a", "-tag", "b", "-meta=k=v=w", "-meta", "x=", "-name="]
    args = parse(FLAGS, words)
    assert args[N] == -3
    assert args[CAS] == 16
    assert args[TIMEOUT] == 90
    assert args[TAG] == ["a", "b"]
    assert args[META] == {"k": "v=w", "x": ""}
    assert args.given(NAME)
    assert args[NAME] == ""


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
def test_errors_name_the_mistake_and_the_allowed_values(words: list[str], message: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse(FLAGS, words)
    assert message in str(caught.value)


@pytest.mark.parametrize("word", ["-h", "-help", "--help", "--h"])
def test_help(word: str) -> None:
    with pytest.raises(HelpRequested):
        parse(FLAGS, ["-stale", word])


@given(st.text(), st.lists(st.text().filter(lambda word: not word.startswith("-"))))
def test_any_text_is_taken_as_it_is(value: str, rest: list[str]) -> None:
    for words in (["-name", value], [f"-name={value}"]):
        args = parse(FLAGS, [*words, *rest])
        assert args[NAME] == value
        assert args.rest == rest


@given(st.lists(st.text(max_size=12), max_size=5))
def test_no_command_line_makes_it_crash(words: list[str]) -> None:
    try:
        args = parse(FLAGS, words)
    except (OptionError, HelpRequested):
        return
    assert args.rest == words[len(words) - len(args.rest) :]


def test_flags_may_follow_arguments_where_that_is_allowed() -> None:
    wait, stop = text("wait", "Time."), switch("stop", "Stop.")
    args = parse((wait, stop), ["web", "-wait", "5s", "other", "-stop"], anywhere=True)
    assert (args.rest, args[wait], args[stop]) == (["web", "other"], "5s", True)
    assert parse((wait, stop), ["web", "-stop"]).rest == ["web", "-stop"]
