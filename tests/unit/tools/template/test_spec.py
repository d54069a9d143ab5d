"""From flags and files to templates: what is understood, what is refused."""

from __future__ import annotations

from pathlib import Path
from signal import Signals

import pytest

from pyconsul.tools.options.hcl_file import ConfigError
from pyconsul.tools.options.run import KILL_SIGNAL
from pyconsul.tools.options.settings import Settings, UsageError, load_settings, parse_flags
from pyconsul.tools.template.options.table import EXEC_RELOAD, ONCE, OPTIONS
from pyconsul.tools.template.spec import Spec, SpecError
from pyconsul.tools.template.spec_reader import specs_of


def settings(*argv: str) -> Settings:
    return load_settings(OPTIONS, parse_flags(OPTIONS, argv), {})


def one(*argv: str) -> Spec:
    (spec,) = specs_of(settings(*argv))
    return spec


def test_a_template_flag() -> None:
    spec = one("-template", "in.j2:out:echo a:b")
    assert (spec.source, spec.destination, spec.syntax) == ("in.j2", "out", "jinja2")
    assert spec.command is not None
    assert spec.command.words == ("echo a:b",)


@pytest.mark.parametrize(("source", "syntax"), [("a.ctmpl", "go"), ("a.j2", "jinja2"), ("a", "jinja2")])
def test_the_syntax_follows_the_source(source: str, syntax: str) -> None:
    assert one("-template", f"{source}:out").syntax == syntax


def test_a_template_block(tmp_path: Path) -> None:
    file = tmp_path / "c.hcl"
    file.write_text("""
        wait { min = "2s" }
        template {
          contents = "x"
          destination = "out"
          perms = 0600
          user = "u"
          gid = 7
          wait { min = "1s" max = "3s" }
          function_denylist = ["env"]
          exec { command = ["a", "b"] timeout = "5s" env { custom = ["A=1"] } }
        }
        template { contents = "y" destination = "two" syntax = "jinja2" perms = "0640" }
    """)
    first, second = specs_of(settings("-config", str(file)))
    assert first.syntax == "go"
    assert (first.perms, first.user, first.group, first.wait) == (0o600, "u", "7", (1.0, 3.0))
    assert first.command is not None
    assert (first.command.words, first.command.timeout) == (("a", "b"), 5.0)
    assert first.command.environment.custom == ("A=1",)
    assert (second.syntax, second.perms, second.wait) == ("jinja2", 0o640, (2.0, 8.0))


@pytest.mark.parametrize("argv", [["-template", "a"], ["-template", "a:"]])
def test_no_destination(argv: list[str]) -> None:
    with pytest.raises(SpecError, match="no destination"):
        one(*argv)
    assert one("-dry", *argv).destination == ""


def test_errors_of_files_name_the_nearest_key(tmp_path: Path) -> None:
    file = tmp_path / "c.hcl"
    file.write_text('template { contents = "x" destinatoin = "out" }')
    with pytest.raises(ConfigError, match=r"c\.hcl.*'template\.destinatoin'; did you mean destination"):
        settings("-config", str(file))


@pytest.mark.parametrize(
    ("argv", "value", "rest"),
    [
        (["-exec-reload"], "haproxy", False),
        (["-exec-reload", "-once"], "haproxy", True),
        (["--exec-reload", "systemctl reload x", "-once"], "systemctl reload x", True),
        (["-exec-reload=cmd"], "cmd", False),
        ([], None, False),
    ],
)
def test_exec_reload_may_have_a_value(argv: list[str], value: str | None, rest: bool) -> None:
    found = settings(*argv)
    assert found[EXEC_RELOAD] == value
    assert found[ONCE] is rest


def test_signals_and_errors_of_flags() -> None:
    assert settings("-kill-signal=sigusr1")[KILL_SIGNAL] == Signals.SIGUSR1
    for argv in (["-nope"], ["-template"], ["-wait=soon"], ["-kill-signal=SIGNOPE"], ["-template", ":x"]):
        with pytest.raises(UsageError):
            settings(*argv)
