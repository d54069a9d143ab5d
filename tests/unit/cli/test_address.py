"""Where the agent is: flags, then environment variables, then the default."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyconsul.cli.address import endpoint, token, truth
from pyconsul.cli.errors import CliError, UsageError
from pyconsul.cli.flag import Args, parse
from pyconsul.cli.httpflags import HTTP_FLAGS


def args(*words: str) -> Args:
    return parse(HTTP_FLAGS, words)


@pytest.mark.parametrize(
    ("text", "host", "port", "tls", "prefix"),
    [
        ("127.0.0.1:8500", "127.0.0.1", 8500, False, ""),
        ("consul.example:80", "consul.example", 80, False, ""),
        ("http://h:1", "h", 1, False, ""),
        ("https://h:8501", "h", 8501, True, ""),
        ("https://h", "h", 443, True, ""),
        ("http://h", "h", 80, False, ""),
        ("[::1]:8500", "::1", 8500, False, ""),
        ("http://h:1/consul/", "h", 1, False, "/consul"),
        (":8500", "127.0.0.1", 8500, False, ""),
    ],
)
def test_forms(text: str, host: str, port: int, tls: bool, prefix: str) -> None:
    found = endpoint(args("-http-addr", text), {})
    assert (found.host, found.port, found.tls is not None, found.prefix) == (host, port, tls, prefix)


def test_a_unix_socket() -> None:
    assert endpoint(args(), {"CONSUL_HTTP_ADDR": "unix:///run/consul.sock"}).unix == "/run/consul.sock"


def test_precedence_and_source() -> None:
    environ = {"CONSUL_HTTP_ADDR": "from.env:1"}
    assert str(endpoint(args("-http-addr=flag:2"), environ)) == "flag:2 (from -http-addr)"
    assert str(endpoint(args(), environ)) == "from.env:1 (from CONSUL_HTTP_ADDR)"
    assert str(endpoint(args(), {})) == "127.0.0.1:8500 (the default address)"


def test_tls_from_the_environment() -> None:
    found = endpoint(args("-ca-file=flag.pem"), {"CONSUL_HTTP_SSL": "true", "CONSUL_CACERT": "env.pem",
                                                 "CONSUL_HTTP_SSL_VERIFY": "false", "CONSUL_TLS_SERVER_NAME": "s"})  # fmt: skip
    assert found.tls is not None
    assert (found.tls.ca_file, found.tls.verify, found.tls.server_name) == ("flag.pem", False, "s")


@pytest.mark.parametrize("text", ["ftp://h:1", "h:port", "h:0", "h:70000", "http://"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="use"):
        endpoint(args("-http-addr", text), {})


def test_token_precedence(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(" in-file \n")
    other = tmp_path / "other"
    other.write_text("other-file")
    environ = {"CONSUL_HTTP_TOKEN": "env", "CONSUL_HTTP_TOKEN_FILE": str(file)}
    assert token(args("-token=flag", f"-token-file={other}"), environ) == "other-file"
    assert token(args("-token=flag"), environ) == "flag"
    assert token(args(), environ) == "in-file"
    assert token(args(), {"CONSUL_HTTP_TOKEN": "env"}) == "env"
    assert token(args(), {}) == ""


def test_a_token_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(CliError, match="missing"):
        token(args(f"-token-file={tmp_path / 'missing'}"), {})


def test_truth() -> None:
    assert truth({"X": "TRUE"}, "X", default=False)
    assert not truth({"X": "0"}, "X", default=True)
    assert truth({}, "X", default=True)
    with pytest.raises(UsageError, match="use true or false"):
        truth({"X": "maybe"}, "X", default=True)
