"""What the shared options mean: connection, retries, the child's environment; and that the tables are sound."""

import pytest

from pyconsul.tools.consul import Connection, RetryPolicy, Tls
from pyconsul.tools.envconsul.options import OPTIONS
from pyconsul.tools.options import child_environment, connection_of, retry_of
from pyconsul.tools.settings import Settings, load_settings, parse_flags


def settings(*argv: str, **environ: str) -> Settings:
    return load_settings(OPTIONS, parse_flags(OPTIONS, argv), environ)


def test_every_flag_and_key_is_there_once_and_documented() -> None:
    flags = [flag for option in OPTIONS for flag in option.flags]
    keys = [option.key for option in OPTIONS]
    assert len(flags) == len(set(flags))
    assert len(keys) == len(set(keys))
    assert all(option.help for option in OPTIONS)


def test_the_connection_of_the_environment() -> None:
    environ = {
        "CONSUL_HTTP_ADDR": "h:1",
        "CONSUL_TOKEN": "t",
        "CONSUL_HTTP_SSL": "true",
        "CONSUL_HTTP_SSL_VERIFY": "false",
        "CONSUL_CACERT": "ca",
        "CONSUL_HTTP_AUTH": "u:p",
        "CONSUL_HTTP_TOKEN_FILE": "f",
    }
    expected = Connection(address="h:1", token_file="f", auth="u:p", tls=Tls(enabled=True, verify=False, ca_cert="ca"))
    assert connection_of(settings(**environ)) == expected
    assert Connection.from_environ(environ) == expected


def test_flags_win_over_the_environment() -> None:
    got = connection_of(settings("-token", "a", "-consul-auth", "x:y:z", CONSUL_HTTP_TOKEN="b", CONSUL_HTTP_AUTH="u"))
    assert (got.token, got.auth) == ("a", "x:y:z")


def test_a_token_file_by_flag_wins_over_a_token_of_the_environment() -> None:
    got = connection_of(settings("-token-file", "f", CONSUL_HTTP_TOKEN="b"))
    assert (got.token, got.token_file) == ("", "f")


def test_a_token_file_wins_over_a_token_of_the_same_source() -> None:
    assert connection_of(settings("-token-file", "f", "-token", "a")).token == ""
    assert connection_of(settings(CONSUL_HTTP_TOKEN="b", CONSUL_HTTP_TOKEN_FILE="f")).token == ""
    assert connection_of(settings("-token", "a", CONSUL_HTTP_TOKEN_FILE="f")).read_token() == "a"


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
