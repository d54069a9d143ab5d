"""The table of options: flags, files, defaults, and the errors of each."""

from contextlib import suppress
from pathlib import Path
from signal import Signals

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconsul.agent.common.option_help import option_rows, render_help
from pyconsul.agent.common.options import Option
from pyconsul.tools.options.hcl_file import ConfigError
from pyconsul.tools.options.settings import (
    BOOL,
    COMMAND,
    DURATION,
    INT,
    SIGNAL,
    STRINGS,
    TEXT,
    WAIT_RANGE,
    UsageError,
    load_settings,
    merge,
    normalize,
    parse_flags,
)

ONCE = Option("once", BOOL, "Once", False, flags=("once",))
CONSUL_ADDRESS = Option(
    "consul.address", TEXT, "Address", "127.0.0.1:8500", flags=("consul-addr", "addr"), environ=("ADDR",)
)
CONSUL_RETRY_ATTEMPTS = Option("consul.retry.attempts", INT, "Attempts", 12, flags=("attempts",))
GRACE = Option("grace", DURATION, "Grace", 30.0, flags=("grace",))
ALLOW = Option("allow", STRINGS, "Allowed", (), flags=("allow",))
OPTIONS = (
    Option("config", STRINGS, "Files", (), flags=("config",), flag_only=True),
    ONCE,
    CONSUL_ADDRESS,
    CONSUL_RETRY_ATTEMPTS,
    Option("exec.command", COMMAND, "Command", ()),
    GRACE,
    Option("kill", SIGNAL, "Signal", Signals.SIGINT, flags=("kill",)),
    Option("wait", WAIT_RANGE, "Wait", (0.0, 0.0), flags=("wait",)),
    ALLOW,
    Option(
        "prefix",
        TEXT,
        "Prefix",
        "",
        flags=("prefix",),
        apply=lambda t, v: t.setdefault("prefix", []).append({"path": v}),
    ),
    Option("prefix[].path", TEXT, "Path", ""),
)
TABLE = tuple(option for option in OPTIONS if option.key != "prefix")


def test_flags_in_all_their_forms() -> None:
    call = parse_flags(OPTIONS, ["-once", "--addr", "a:1", "-attempts=3", "-allow", "x", "-allow=y", "cmd", "-once"])
    assert call.tree == {
        "once": True,
        "consul": {"address": "a:1", "retry": {"attempts": 3}},
        "allow": ["x", "y"],
    }
    assert call.arguments == ["cmd", "-once"]


def test_a_double_dash_ends_the_flags() -> None:
    assert parse_flags(OPTIONS, ["-once=false", "--", "-once"]).arguments == ["-once"]


def test_a_single_dash_is_an_argument() -> None:
    assert parse_flags(OPTIONS, ["-", "x"]).arguments == ["-", "x"]


def test_values_may_start_with_a_dash_and_hold_equals_signs() -> None:
    assert parse_flags(OPTIONS, ["-addr", "-x", "-allow", "A=b=c"]).tree == {
        "consul": {"address": "-x"},
        "allow": ["A=b=c"],
    }


def test_flags_that_build_blocks() -> None:
    call = parse_flags(OPTIONS, ["-prefix", "a", "-prefix=b"])
    assert call.tree == {"prefix": [{"path": "a"}, {"path": "b"}]}


def test_help() -> None:
    assert parse_flags(OPTIONS, ["-h"]).help
    text = render_help("x", lists=[("Options", option_rows(OPTIONS))])
    assert "-consul-addr=<string>" in text
    assert "The default is 30s." in text
    assert "The default is SIGINT." in text


@pytest.mark.parametrize(
    ("argv", "word"),
    [
        (["-onse"], "did you mean -once"),
        (["-nonsense"], "unknown flag -nonsense"),
        (["-addr"], "needs a value"),
        (["-once=perhaps"], "invalid boolean"),
        (["-attempts=1.5"], "whole number"),
        (["-grace=soon"], "invalid duration"),
        (["-kill=SIGNOPE"], "unknown signal"),
        (["-wait=9s:1s"], "invalid wait"),
    ],
)
def test_bad_flags(argv: list[str], word: str) -> None:
    with pytest.raises(UsageError, match=word):
        parse_flags(OPTIONS, argv)


def test_a_document_becomes_a_tree() -> None:
    document = {
        "consul": [{"address": "a"}, {"retry": [{"attempts": "4"}]}],
        "prefix": [{"path": "x"}, {"path": "y"}],
        "exec": {"command": ["a", "b"]},
        "wait": [{"min": "1s", "max": "2s"}],
        "grace": "1m",
        "kill": "sigterm",
    }
    assert normalize(TABLE, document, "c") == {
        "consul": {"address": "a", "retry": {"attempts": 4}},
        "prefix": [{"path": "x"}, {"path": "y"}],
        "exec": {"command": ("a", "b")},
        "wait": (1.0, 2.0),
        "grace": 60.0,
        "kill": Signals.SIGTERM,
    }


@pytest.mark.parametrize(
    ("document", "word"),
    [
        ({"onse": True}, "'onse'; did you mean once"),
        ({"consul": [{"retry": [{"attempt": 1}]}]}, r"consul\.retry\.attempt"),
        ({"consul": "127.0.0.1"}, "must be a block"),
        ({"prefix": ["a"]}, "prefix must be a block"),
        ({"grace": "often"}, "grace: invalid duration"),
        ({"once": "maybe"}, "once: invalid boolean"),
        ({"wait": {"middle": "1s"}}, "allowed: enabled, min, max"),
        ({"config": ["x"]}, "unknown key 'config'"),
        ({"consul": [{"address": ["x"]}]}, "must be a string"),
    ],
)
def test_errors_of_documents_have_a_location(document: dict[str, object], word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        normalize(TABLE, document, "c.hcl")


def test_all_mistakes_of_a_document_are_reported() -> None:
    document = {"grace": "soon", "bogus": 1, "prefix": "p", "once": True}
    with pytest.raises(ConfigError) as raised:
        normalize(TABLE, document, "c.hcl")
    lines = str(raised.value).splitlines()
    assert len(lines) == 3
    assert all(line.startswith("configuration c.hcl: ") for line in lines)
    assert "unknown key 'bogus'" in lines[1]
    assert "prefix must be a block" in lines[2]


def test_mistakes_of_all_files_have_location_excerpt_and_what_is_allowed(tmp_path: Path) -> None:
    hcl, document = tmp_path / "a.hcl", tmp_path / "b.json"
    hcl.write_text(
        'prefix { path = "a" }\nprefix {\n  path = ["secret"]\n  colour = "blue"\n}\n'
        'grace = "soon"\nonse = true\nconsul {\n  retry { attempts = "few" }\n}\n'
    )
    document.write_text('{\n  "once": "maybe",\n  "prefix": [{}, {"colour": 1}]\n}')
    with pytest.raises(ConfigError) as raised:
        load_settings(TABLE, parse_flags(OPTIONS, ["-config", str(hcl), "-config", str(document)]), {})
    assert str(raised.value).splitlines() == [
        f"configuration {hcl}:3:3: prefix.path: must be a string",
        '    path = ["…"]',
        f"configuration {hcl}:4:3: unknown key 'prefix.colour'; allowed: path",
        '    colour = "…"',
        f"configuration {hcl}:6:1: grace: invalid duration 'soon'; allowed: a number with a unit, "
        'such as "500ms", "10s" or "1h30m" (units: ns, us, ms, s, m, h)',
        '    grace = "…"',
        f"configuration {hcl}:7:1: unknown key 'onse'; did you mean once?",
        "    onse = true",
        f"configuration {hcl}:9:11: consul.retry.attempts: invalid number 'few': use a whole number",
        '    retry { attempts = "…" }',
        f"configuration {document}:2:3: once: invalid boolean 'maybe': use true or false",
        '    "once": "…",',
        f"configuration {document}:3:19: unknown key 'prefix.colour'; allowed: path",
        '    "prefix": [{}, {"colour": 1}]',
    ]


def test_an_ambiguous_mistake_names_the_file_alone(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text('{"grace": "soon", "grace": "later"}')
    with pytest.raises(ConfigError, match=rf"^configuration {file}: grace: invalid duration 'later'[^\n]*$"):
        load_settings(TABLE, parse_flags(OPTIONS, ["-config", str(file)]), {})


def test_files_environment_and_flags(tmp_path: Path) -> None:
    (tmp_path / "a.hcl").write_text('grace = "1s"\nallow = ["a"]\nprefix { path = "p" }\n')
    (tmp_path / "b.json").write_text('{"grace": "2s", "once": true}')
    argv = ["-config", str(tmp_path / "a.hcl"), "-config", str(tmp_path / "b.json"), "-once=false", "-allow=b"]
    call = parse_flags(OPTIONS, [*argv, "-prefix", "q"])
    settings = load_settings(TABLE, call, {"ADDR": "e:1"})
    assert settings[GRACE] == 2.0
    assert settings[ONCE] is False
    assert settings[ALLOW] == ["a", "b"]
    assert settings[CONSUL_ADDRESS] == "e:1"
    assert settings[CONSUL_RETRY_ATTEMPTS] == 12
    assert settings.blocks("prefix") == [{"path": "p"}, {"path": "q"}]
    assert settings.given(GRACE)
    assert not settings.given(CONSUL_ADDRESS)


def test_merge_leaves_its_inputs_alone() -> None:
    under, over = {"a": {"b": 1}, "l": [1]}, {"a": {"c": 2}, "l": [2]}
    assert merge(under, over) == {"a": {"b": 1, "c": 2}, "l": [1, 2]}
    assert under == {"a": {"b": 1}, "l": [1]}


WORDS = st.sampled_from(
    ["-once", "--addr", "-attempts=3", "-grace", "1s", "-wait=1s", "-", "--", "-=", "--once=x", "-kill"]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
KEYS = st.sampled_from(
    ["once", "consul", "retry", "attempts", "exec", "command", "grace", "kill", "wait", "prefix", "path"]
)
DOCUMENTS = st.dictionaries(
    KEYS,
    st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3)),
    max_size=3,
)


@given(st.lists(WORDS | st.text(max_size=8)))
def test_any_command_line_is_parsed_or_refused(argv: list[str]) -> None:
    try:
        call = parse_flags(OPTIONS, argv)
    except UsageError:
        return
    assert len(call.arguments) <= len(argv)


@given(DOCUMENTS)
def test_any_document_is_parsed_or_refused(document: dict[str, object]) -> None:
    with suppress(ConfigError):
        assert set(normalize(TABLE, document, "c")) <= set(document)
