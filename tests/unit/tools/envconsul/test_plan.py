"""What a command line asks for, and the errors of one that asks for too much."""

from pathlib import Path

import pytest

from pyconsul.tools.envconsul.main import main
from pyconsul.tools.envconsul.options import OPTIONS
from pyconsul.tools.envconsul.plan import make_plan
from pyconsul.tools.options.hcl_file import ConfigError
from pyconsul.tools.options.settings import parse_flags


def program(*argv: str) -> list[str]:
    return make_plan(parse_flags(OPTIONS, argv)).program


def test_programs(tmp_path: Path) -> None:
    (tmp_path / "c.hcl").write_text('exec {\n  command = ["a", "b c"]\n}\n')
    assert program("echo", "-n", "b c", "-prefix") == ["echo", "-n", "b c", "-prefix"]
    assert program("echo $x") == ["sh", "-c", "echo $x"]
    assert program("-exec", "echo $x") == ["sh", "-c", "echo $x"]
    assert program("-config", str(tmp_path)) == ["a", "b c"]
    assert program("-config", str(tmp_path), "env") == ["env"]
    assert program("-print", "json") == []


@pytest.mark.parametrize(
    ("argv", "word"),
    [
        ((), "no program"),
        (("-secret", "a", "env"), "Vault"),
        (("-log-level", "loud", "env"), "loud"),
        (("-log-format", "xml", "env"), "xml"),
        (("-print", "yaml"), "dotenv, json"),
        (("-syslog", "-syslog-facility", "LOCAL9", "env"), "LOCAL9"),
    ],
)
def test_errors(argv: tuple[str, ...], word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        program(*argv)


@pytest.mark.parametrize(
    ("argv", "status"),
    [
        (["-h"], 0),
        (["-v"], 0),
        (["-nope"], 13),
        (["-prefix"], 13),
        (["-kill-signal=SIGNOPE", "env"], 13),
        (["-config", "/no/such.hcl", "env"], 15),
        ([], 15),
        (["-once", "/no/such"], 14),
        (["-consul-addr", "127.0.0.1:1", "-consul-retry=false", "-prefix", "a", "env"], 14),
        (["-once", "exit 7"], 7),
        (["-kill-signal=SIGKILL", "true"], 15),
        (["-once", "-exec-timeout=10ms", "sleep 30"], 14),
        (["-pid-file=/no/such/file", "true"], 15),
    ],
)
def test_exit_statuses(argv: list[str], status: int) -> None:
    assert main(argv) == status
