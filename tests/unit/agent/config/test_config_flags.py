"""Flags: one dash or two, values after `=` or as the next argument, and what is said of wrong ones."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconsul.agent.config.flags import parse_flags
from pyconsul.agent.config.load import load
from pyconsul.agent.config.problems import ConfigError, Problems
from pyconsul.agent.config.table import BY_FLAG, Kind


def values(*argv: str) -> dict[str, object]:
    problems = Problems()
    flags = parse_flags(argv, problems)
    problems.raise_any()
    return flags.values


def refusal(*argv: str) -> str:
    with pytest.raises(ConfigError) as caught:
        values(*argv)
    return str(caught.value)


@pytest.mark.parametrize(
    "argv",
    [
        ("-http-port=1",),
        ("--http-port=1",),
        ("-http-port", "1"),
        ("--http-port", "1"),
        ("-http-port=9", "-http-port=1"),
    ],
)
def test_spellings_of_a_value(argv: tuple[str, ...]) -> None:
    assert values(*argv) == {"ports": {"http": 1}}


def test_a_value_may_start_with_a_dash() -> None:
    assert values("-dns-port", "-1") == {"ports": {"dns": -1}}


@pytest.mark.parametrize(
    ("text", "value"), [("-ui", True), ("--ui", True), ("-ui=false", False), ("-ui=0", False), ("-ui=T", True)]
)
def test_switches(text: str, value: bool) -> None:
    assert values(text) == {"ui_config": {"enabled": value}}


def test_a_switch_takes_no_next_argument() -> None:
    assert "unexpected extra argument (false)" in refusal("-ui", "false")


def test_lists_and_maps_gather_in_order() -> None:
    assert values("-recursor=1.1.1.1", "-recursor", "8.8.8.8") == {"recursors": ("1.1.1.1", "8.8.8.8")}
    assert values("-join", "a", "-retry-join=b", "-join=c") == {"retry_join": ("a", "b", "c")}
    assert values("-node-meta=a:1", "-node-meta", "b:2:3", "-node-meta=c") == {
        "node_meta": {"a": "1", "b": "2:3", "c": ""}
    }


def test_paths_keep_the_order_they_are_given_in() -> None:
    problems = Problems()
    flags = parse_flags(["-config-dir=b", "-config-file", "a", "-config-dir=c", "-config-format=hcl"], problems)
    assert flags.paths == ("b", "a", "c")
    assert flags.config_format == "hcl"


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (("-http-prot=1",), "unknown flag -http-prot; did you mean -http-port?"),
        (("-dve",), "unknown flag -dve; did you mean -dev?"),
        (("-nonsense", "x"), "unknown flag -nonsense"),
        (("-node",), "flag -node needs a value: -node=VALUE"),
        (("-http-port=x",), '-http-port: "x" is not allowed; allowed: a whole number'),
        (("-http-port=70000",), '-http-port: "70000" is not allowed; allowed: a port from 1 to 65535'),
        (("-ui=perhaps",), '-ui: "perhaps" is not allowed; allowed: true or false'),
        (("-retry-interval=5",), '-retry-interval: "5" is not allowed; allowed: a number with a unit'),
        (("-node=a/b",), '-node: "a/b" is not allowed'),
        (("-config-format=xml",), "-config-format: xml is not allowed; allowed: hcl or json"),
        (("extra",), "unexpected extra argument (extra)"),
    ],
)
def test_what_is_wrong_is_said_with_what_is_allowed(argv: tuple[str, ...], text: str) -> None:
    assert text in refusal(*argv)


def test_all_wrong_values_are_told_at_once() -> None:
    assert len(refusal("-http-port=x", "-dns-port=y", "-client=z").splitlines()) == 3


def test_a_secret_is_not_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        load(["-dev", "-hcl=acl { tokens { agent = 12345678 } }"])
    assert "12345678" not in str(caught.value)
    assert "acl.tokens.agent: (hidden)" in str(caught.value)


def test_flags_without_effect_are_named_once() -> None:
    config = load(["-dev", "-segment=x", "-protocol=3"])
    assert len(config.warnings) == 1
    assert "-segment" in config.warnings[0]
    assert "-protocol" in config.warnings[0]


@given(st.lists(st.text(alphabet="-=a.: \n0") | st.sampled_from([f"-{flag}" for flag in BY_FLAG]), max_size=4))
def test_any_arguments_are_read_or_refused(argv: list[str]) -> None:
    with suppress(ConfigError):
        values(*argv)


@given(st.sampled_from(sorted(flag for flag, row in BY_FLAG.items() if row.kind is Kind.INT)), st.integers(1, 65535))
def test_every_number_reaches_its_key(flag: str, number: int) -> None:
    section: object = values(f"-{flag}", str(number))
    for name in BY_FLAG[flag].key.split("."):
        assert isinstance(section, dict)
        section = section[name]
    assert section == number
