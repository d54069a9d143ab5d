"""Exit codes and messages that need no agent; what the start of a command imports."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pyconsul.cli.help.registry import COMMANDS, GROUPS
from pyconsul.cli.help.unsupported import UNSUPPORTED
from pyconsul.cli.main import main


@pytest.fixture(autouse=True)
def nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Port 1 of this host: nobody listens there."""
    monkeypatch.setenv("CONSUL_HTTP_ADDR", "127.0.0.1:1")
    monkeypatch.delenv("PYCONSUL_DETAILED_EXITCODE", raising=False)


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ([], 127),
        (["nonsense"], 127),
        (["help"], 0),
        (["help", "kv", "get"], 0),
        (["help", "agent"], 0),
        (["help", "nonsense"], 127),
        (["operator", "utilization"], 1),
        (["members", "extra"], 1),
        (["keygen", "extra"], 0),
        (["connect", "ca"], 127),
        (["kv"], 1),
        (["kv", "nonsense"], 1),
        (["acl", "token"], 1),
        (["kv", "get"], 1),
        (["kv", "get", "a"], 1),
        (["kv", "get", "-no-such-flag", "a"], 1),
        (["exec", "ls"], 1),
        (["registrator"], 2),
        (["registrator", "-nonsense", "consul://"], 2),
        (["registrator", "consul://", "consul://"], 2),
        (["registrator", "nonsense://"], 1),
        (["registrator", "-ttl", "30", "consul://"], 1),
        (["registrator", "consul://"], 1),
        (["registrator", "drain"], 1),
        (["registrator", "drain", "web", "-stop", "-undo"], 1),
        (["registrator", "drain", "web", "-consul", "consulkv:///a"], 1),
        (["registrator", "drain", "web", "-wait", "soon"], 1),
        (["registrator", "drain", "-h"], 0),
        (["--help"], 0),
        (["kv", "-h"], 0),
        (["kv", "get", "-h"], 0),
        (["version"], 0),
        (["-v"], 0),
        (["--version"], 0),
        (["version", "-format=json"], 0),
        (["version", "-format=xml"], 1),
        (["keygen"], 0),
    ],
)
def test_exit_codes(words: list[str], status: int) -> None:
    assert main(words) == status


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["kv", "get", "-detailed-exitcode", "a"], 4),
        (["kv", "get", "-detailed-exitcode"], 7),
        (["kv", "put", "-detailed-exitcode", "/a"], 7),
        (["validate", "-detailed-exitcode"], 7),
        (["nonsense"], 127),
    ],
)
def test_detailed_exit_codes(words: list[str], status: int) -> None:
    assert main(words) == status


def test_detailed_exit_codes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYCONSUL_DETAILED_EXITCODE", "1")
    assert main(["members"]) == 4
    assert main(["kv", "get", "-wrong"]) == 7


def test_a_refused_connection_is_reported_with_advice(capfd: pytest.CaptureFixture[str]) -> None:
    main(["kv", "get", "a"])
    out, err = capfd.readouterr()
    assert out == ""
    assert "127.0.0.1:1 (from CONSUL_HTTP_ADDR)" in err
    assert "refused" in err
    assert "pyconsul agent -dev" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["membres"], "Did you mean members?"),
        (["kv", "gte"], "Did you mean kv get?"),
        (["kv", "get", "-recuse"], "Did you mean -recurse?"),
        (["exec"], "ssh"),
        (["tls", "ca", "create"], "pyconsul tls is not in pyconsul"),
        (["services", "export"], "pyconsul services export is not in pyconsul"),
        (["kv", "get", "foo", "-format", "json"], "Options come first: put -format before the arguments."),
        (["demo", "extra"], "Too many arguments"),
        (["kv", "put"], "Missing KEY"),
    ],
)
def test_messages(words: list[str], message: str, capfd: pytest.CaptureFixture[str]) -> None:
    main(words)
    out, err = capfd.readouterr()
    assert message in err
    assert out == ""


def test_an_unknown_command_is_short_and_the_suggestion_last(capfd: pytest.CaptureFixture[str]) -> None:
    main(["kv", "gte"])
    lines = capfd.readouterr().err.splitlines()
    assert lines == ["unknown command: kv gte. `pyconsul kv -h` lists the commands.", "Did you mean kv get?"]


def test_the_default_editor_needs_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("EDITOR", "VISUAL"):
        monkeypatch.delenv(name, raising=False)
    assert main(["kv", "edit", "a"]) == 1
    assert "vi needs a terminal" in capfd.readouterr().err


def test_commands_explained_as_missing_are_missing() -> None:
    for words in UNSUPPORTED:
        assert words not in COMMANDS
        assert words not in GROUPS


def test_help_goes_to_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    main(["kv", "get", "-h"])
    out, err = capfd.readouterr()
    assert "-recurse" in out
    assert err == ""


def test_a_one_shot_command_imports_little() -> None:
    """What must not be on the way to a key's value: each of them alone takes longer than all the rest."""
    heavy = {"click", "http.client", "httpx", "asyncio", "rich", "jinja2", "yaml", "msgspec", "hcl2", "ssl", "json",
             "argparse", "inspect", "dataclasses", "urllib.parse", "subprocess", "pathlib", "email"}  # fmt: skip
    program = (
        "import sys; before = set(sys.modules); from pyconsul.cli.main import main; main(['kv', 'get', 'a']);"
        "print(' '.join(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not heavy & set(done.stdout.split())
    ours = {name for name in done.stdout.split() if name.startswith(("pyconsul.agent", "pyconsul.tools"))}
    common = {"options", "program", "http_answer", "consul_environment", "go", "go.booleans", "reasons"}
    assert ours <= {"pyconsul.agent", "pyconsul.agent.common", *(f"pyconsul.agent.common.{name}" for name in common)}


def test_the_package_runs_as_the_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pyconsul", "kv", "gte"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert done.stderr.endswith("Did you mean kv get?\n")
