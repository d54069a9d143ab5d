"""Consul's environment variables: one table of environments, which all programs must resolve alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from pyconsul.agent.common.consul_environment import InvalidSetting, Tls, parse_address
from pyconsul.agent.common.options import Args, Option, parse
from pyconsul.cli.errors import CliError, UsageError
from pyconsul.cli.http.client import access_of, scope, token_of
from pyconsul.cli.http.flags import HTTP_FLAGS
from pyconsul.tools.consul.connection import ConsulError
from pyconsul.tools.envconsul.options import OPTIONS as ENVCONSUL_OPTIONS
from pyconsul.tools.options.connection import connection_of
from pyconsul.tools.options.hcl_file import ConfigError
from pyconsul.tools.options.settings import load_settings, parse_flags
from pyconsul.tools.template.options.table import OPTIONS as TEMPLATE_OPTIONS


@dataclass(frozen=True)
class Resolved:
    """What a program ends up with."""

    host: str = "127.0.0.1"
    port: int = 8500
    unix: str = ""
    prefix: str = ""
    secure: bool = False
    token: str = ""
    auth: str = ""
    tls: Tls = Tls()  # noqa: RUF009


def args(*words: str) -> Args:
    return parse(HTTP_FLAGS, words)


def by_command_line(environ: Mapping[str, str]) -> Resolved:
    access = access_of(args(), environ)
    at = access.address
    return Resolved(at.host, at.port, at.unix, at.prefix, at.secure, token_of(access), access.auth, access.tls)


def by_tool(options: tuple[Option, ...], environ: Mapping[str, str]) -> Resolved:
    connection = connection_of(load_settings(options, parse_flags(options, ()), environ))
    at = connection.agent_address()
    token = connection.read_token()
    return Resolved(at.host, at.port, at.unix, at.prefix, at.secure, token, connection.auth, connection.tls)


PROGRAMS: dict[str, Callable[[Mapping[str, str]], Resolved]] = {
    "pyconsul": by_command_line,
    "pyconsul-template": lambda environ: by_tool(TEMPLATE_OPTIONS, environ),
    "pyenvconsul": lambda environ: by_tool(ENVCONSUL_OPTIONS, environ),
}
TOKEN_FILE, EMPTY_FILE = "token-file", "empty-file"
ENVIRONMENTS: list[tuple[dict[str, str], Resolved]] = [
    ({}, Resolved()),
    ({"CONSUL_HTTP_ADDR": ""}, Resolved()),
    ({"CONSUL_HTTP_ADDR": "consul.example"}, Resolved("consul.example", 80)),
    ({"CONSUL_HTTP_ADDR": "consul.example:8500"}, Resolved("consul.example", 8500)),
    ({"CONSUL_HTTP_ADDR": ":8500"}, Resolved()),
    ({"CONSUL_HTTP_ADDR": "http://h"}, Resolved("h", 80)),
    ({"CONSUL_HTTP_ADDR": "http://h:1/consul/"}, Resolved("h", 1, prefix="/consul")),
    ({"CONSUL_HTTP_ADDR": "https://h"}, Resolved("h", 443, secure=True)),
    ({"CONSUL_HTTP_ADDR": "https://h:8501"}, Resolved("h", 8501, secure=True)),
    ({"CONSUL_HTTP_ADDR": "[::1]:8500"}, Resolved("::1", 8500)),
    ({"CONSUL_HTTP_ADDR": "http://[::1]"}, Resolved("::1", 80)),
    ({"CONSUL_HTTP_ADDR": "unix:///run/consul.sock"}, Resolved("", 0, unix="/run/consul.sock")),
    ({"CONSUL_HTTP_SSL": "true"}, Resolved(secure=True, tls=Tls(enabled=True))),
    ({"CONSUL_HTTP_SSL": "1", "CONSUL_HTTP_ADDR": "h"}, Resolved("h", 443, secure=True, tls=Tls(enabled=True))),
    ({"CONSUL_HTTP_SSL": "T", "CONSUL_HTTP_ADDR": "http://h:1"}, Resolved("h", 1, secure=True, tls=Tls(enabled=True))),
    ({"CONSUL_HTTP_SSL": "F", "CONSUL_HTTP_ADDR": "https://h:1"}, Resolved("h", 1, secure=True)),
    ({"CONSUL_HTTP_SSL_VERIFY": "0"}, Resolved(tls=Tls(verify=False))),
    ({"CONSUL_HTTP_SSL_VERIFY": "True"}, Resolved()),
    ({"CONSUL_CACERT": "ca.pem", "CONSUL_CAPATH": "/ca"}, Resolved(tls=Tls(ca_file="ca.pem", ca_path="/ca"))),
    ({"CONSUL_CLIENT_CERT": "c", "CONSUL_CLIENT_KEY": "k"}, Resolved(tls=Tls(cert="c", key="k"))),
    ({"CONSUL_TLS_SERVER_NAME": "s.example"}, Resolved(tls=Tls(server_name="s.example"))),
    ({"CONSUL_TLS_SERVER_NAME": "s.example:8501"}, Resolved(tls=Tls(server_name="s.example"))),
    ({"CONSUL_HTTP_TOKEN": "t"}, Resolved(token="t")),
    ({"CONSUL_HTTP_TOKEN_FILE": TOKEN_FILE}, Resolved(token="in-file")),
    ({"CONSUL_HTTP_TOKEN": "t", "CONSUL_HTTP_TOKEN_FILE": TOKEN_FILE}, Resolved(token="in-file")),
    ({"CONSUL_HTTP_TOKEN": "t", "CONSUL_HTTP_TOKEN_FILE": EMPTY_FILE}, Resolved(token="t")),
    ({"CONSUL_HTTP_AUTH": "u:p:q"}, Resolved(auth="u:p:q")),
    ({"CONSUL_HTTP_AUTH": "u"}, Resolved(auth="u:")),
    ({"CONSUL_NAMESPACE": "default", "CONSUL_PARTITION": "default"}, Resolved()),
]
REFUSED = [
    ({"CONSUL_HTTP_ADDR": "ftp://h:1"}, "from CONSUL_HTTP_ADDR.*use http://, https:// or unix://"),
    ({"CONSUL_HTTP_ADDR": "http://"}, "no host"),
    ({"CONSUL_HTTP_ADDR": "unix://"}, "no path"),
    ({"CONSUL_HTTP_ADDR": "h:port"}, "wrong port"),
    ({"CONSUL_HTTP_ADDR": "h:0"}, "wrong port"),
    ({"CONSUL_HTTP_ADDR": "h:70000"}, "wrong port"),
    ({"CONSUL_HTTP_ADDR": "h:" + "9" * 5000}, "wrong port"),
    ({"CONSUL_HTTP_ADDR": "::1:8500"}, r"use brackets for IPv6, as in \[::1\]:8500"),
    ({"CONSUL_HTTP_ADDR": "u:p@h:8500"}, "wrong host"),
    ({"CONSUL_HTTP_ADDR": "a b:8500"}, "wrong host"),
    ({"CONSUL_HTTP_SSL": "yes"}, "wrong value 'yes' in CONSUL_HTTP_SSL: use true or false"),
    ({"CONSUL_HTTP_SSL_VERIFY": "tRUE"}, "CONSUL_HTTP_SSL_VERIFY: use true or false"),
    ({"CONSUL_NAMESPACE": "team"}, "CONSUL_NAMESPACE: only the namespace default exists"),
    ({"CONSUL_PARTITION": "team"}, "CONSUL_PARTITION: only the partition default exists"),
]


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize(("environ", "expected"), ENVIRONMENTS, ids=[str(environ) for environ, _ in ENVIRONMENTS])
def test_environments(
    program: str, environ: dict[str, str], expected: Resolved, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(TOKEN_FILE).write_text(" in-file \n")
    Path(EMPTY_FILE).write_text("\n")
    assert PROGRAMS[program](environ) == expected


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize(("environ", "reason"), REFUSED, ids=[str(environ)[:60] for environ, _ in REFUSED])
def test_wrong_values_are_refused(program: str, environ: dict[str, str], reason: str) -> None:
    with pytest.raises(UsageError if program == "pyconsul" else ConfigError, match=reason):
        PROGRAMS[program](environ)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_token_file_that_cannot_be_read(program: str, tmp_path: Path) -> None:
    with pytest.raises(
        CliError if program == "pyconsul" else ConsulError, match=r"Error loading the token file .*none"
    ):
        PROGRAMS[program]({"CONSUL_HTTP_TOKEN": "t", "CONSUL_HTTP_TOKEN_FILE": str(tmp_path / "none")})


def test_flags_win_over_variables_and_are_named() -> None:
    environ = {"CONSUL_HTTP_ADDR": "from.env:1", "CONSUL_CACERT": "env.pem", "CONSUL_CAPATH": "env"}
    access = access_of(args("-http-addr=flag:2", "-ca-file=flag.pem"), environ)
    assert str(access.address) == "flag:2 (from -http-addr)"
    assert (access.tls.ca_file, access.tls.ca_path) == ("flag.pem", "env")
    assert str(access_of(args(), environ).address) == "from.env:1 (from CONSUL_HTTP_ADDR)"
    assert str(access_of(args(), {}).address) == "127.0.0.1:8500 (the default address)"
    with pytest.raises(UsageError, match="from -http-addr"):
        access_of(args("-http-addr=h:x"), environ)


def test_token_precedence(tmp_path: Path) -> None:
    file, other = tmp_path / "token", tmp_path / "other"
    file.write_text(" in-file \n")
    other.write_text("other-file")
    environ = {"CONSUL_HTTP_TOKEN": "env", "CONSUL_HTTP_TOKEN_FILE": str(file)}
    assert token_of(access_of(args("-token=flag", f"-token-file={other}"), environ)) == "other-file"
    assert token_of(access_of(args("-token=flag"), environ)) == "flag"


@pytest.mark.parametrize(("flag", "parameter"), [("namespace", "ns"), ("partition", "partition"), ("ns", "ns")])
def test_the_agent_is_asked_for_namespaces_and_partitions(flag: str, parameter: str) -> None:
    assert scope(args(f"-{flag}=team")) == {parameter: "team"}
    assert scope(args(f"-{flag}=default")) == scope(args()) == {}


def test_a_key_without_a_certificate_is_refused() -> None:
    with pytest.raises(InvalidSetting, match="needs a client certificate"):
        Tls(key="k").context()


@pytest.mark.parametrize(
    ("text", "authority"),
    [("h", "h:80"), ("https://h", "h:443"), ("[::1]:1", "[::1]:1"), ("unix:///run/c", "localhost")],
)
def test_the_host_header(text: str, authority: str) -> None:
    assert parse_address(text, "").authority == authority
