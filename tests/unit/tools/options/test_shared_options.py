"""What the shared options mean: connection, retries, the child's environment; and that the tables are sound."""

from pathlib import Path

import pytest

from pyconsul.tools.consul.client import Connection, RetryPolicy
from pyconsul.tools.envconsul.options import OPTIONS
from pyconsul.tools.options.child import child_environment
from pyconsul.tools.options.connection import connection_of, retry_of
from pyconsul.tools.options.hcl_file import ConfigError
from pyconsul.tools.options.settings import Settings, load_settings, parse_flags


def settings(*argv: str, **environ: str) -> Settings:
    return load_settings(OPTIONS, parse_flags(OPTIONS, argv), environ)


def test_every_flag_and_key_is_there_once_and_documented() -> None:
    flags = [flag for option in OPTIONS for flag in option.flags]
    keys = [option.key for option in OPTIONS]
    assert len(flags) == len(set(flags))
    assert len(keys) == len(set(keys))
    assert all(option.help for option in OPTIONS)


def test_the_older_variable_of_the_token() -> None:
    assert connection_of(settings(CONSUL_TOKEN="old")).token == "old"
    assert connection_of(settings(CONSUL_TOKEN="old", CONSUL_HTTP_TOKEN="new")).token == "new"


def test_flags_win_over_the_environment() -> None:
    got = connection_of(settings("-token", "a", "-consul-auth", "x:y:z", CONSUL_HTTP_TOKEN="b", CONSUL_HTTP_AUTH="u"))
    assert (got.token, got.auth) == ("a", "x:y:z")


def test_a_token_file_wins_over_a_token_of_the_same_or_a_weaker_source(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("in-file\n")
    for argv, environ in (
        (("-token-file", str(file)), {"CONSUL_HTTP_TOKEN": "b"}),
        (("-token-file", str(file), "-token", "a"), {}),
        ((), {"CONSUL_HTTP_TOKEN": "b", "CONSUL_HTTP_TOKEN_FILE": str(file)}),
    ):
        assert connection_of(settings(*argv, **environ)).read_token() == "in-file"
    assert connection_of(settings("-token", "a", CONSUL_HTTP_TOKEN_FILE=str(file))).read_token() == "a"


def test_authentication_that_is_switched_off(tmp_path: Path) -> None:
    file = tmp_path / "c.hcl"
    file.write_text('consul { auth { enabled = false\n username = "u" } }')
    assert connection_of(settings("-config", str(file), CONSUL_HTTP_AUTH="u:p")).auth == ""


def test_a_wrong_setting_is_named() -> None:
    with pytest.raises(ConfigError, match=r"from consul\.address"):
        connection_of(settings("-consul-addr", "ftp://h"))


def test_secrets_are_not_shown() -> None:
    assert "hush" not in repr(Connection(token="hush", auth="u:hush"))


def test_retries() -> None:
    assert retry_of(settings("-consul-retry-attempts=1", "-consul-retry-backoff=10ms")) == RetryPolicy(
        attempts=1, backoff=0.01
    )
    assert not retry_of(settings("-consul-retry=false")).enabled


@pytest.mark.parametrize(
    ("argv", "names"),
    [
        ((), {"A", "AB", "C"}),
        (("-exec-env-allowlist", "A*"), {"A", "AB"}),
        (("-exec-env-allowlist", "A*", "-exec-env-denylist", "AB"), {"A"}),
        (("-exec-env-denylist", "*"), set()),
        (("-exec-env-pristine",), set()),
        (("-exec-env-pristine", "-exec-env-custom", "X=1=2"), {"X"}),
    ],
)
def test_the_environment_of_the_child(argv: tuple[str, ...], names: set[str]) -> None:
    got = child_environment(settings(*argv), {"A": "1", "AB": "2", "C": "3"})
    assert set(got) == names
    assert got.get("X", "1=2") == "1=2"
