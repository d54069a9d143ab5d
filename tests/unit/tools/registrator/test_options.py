"""Flags, URIs and the engine's address."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyconsul.agent.common.options import parse
from pyconsul.tools.registrator.engine import SOCKETS, EngineAddress, EngineError, engine_address
from pyconsul.tools.registrator.options import FLAGS, Settings, SettingsError, Target, read_settings, read_uri


def settings(*words: str, environ: dict[str, str] | None = None, uri: str = "consul://10.0.0.1:8500") -> Settings:
    return read_settings(parse(FLAGS, words), uri, environ or {})


@pytest.mark.parametrize(
    ("uri", "target"),
    [
        ("consul://", Target("")),
        ("consul://10.0.0.1:8500", Target("10.0.0.1:8500")),
        ("consul://user:secret@10.0.0.1:8500/ignored", Target("10.0.0.1:8500")),
        ("consul://[::1]:8500", Target("[::1]:8500")),
        ("consul-tls://consul.example:8501", Target("https://consul.example:8501")),
        ("consul-unix:///run/consul.sock", Target("unix:///run/consul.sock")),
        ("consulkv://10.0.0.1:8500/a/b/", Target("10.0.0.1:8500", "a/b")),
        ("consulkv:///a", Target("", "a")),
        ("consulkv-unix:///run/consul.sock:/a", Target("unix:///run/consul.sock", "a")),
    ],
)
def test_uris(uri: str, target: Target) -> None:
    assert read_uri(uri) == target


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "consul",
        "10.0.0.1:8500",
        "etcd://10.0.0.1",
        "consulkv://10.0.0.1:8500",
        "consul://10.0.0.1:99999",
        "consul-tls://",
    ],
)
def test_uris_that_are_none(uri: str) -> None:
    with pytest.raises(SettingsError, match="invalid URI"):
        read_uri(uri)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["-ttl", "30"], "give both"),
        (["-ttl", "30", "-ttl-refresh", "30"], "give both"),
        (["-deregister", "never"], "use always or on-success"),
        (["-retry-interval", "0"], "more than 0"),
        (["-retry-attempts", "-2"], "-1 for no limit"),
        (["-resync", "-1"], "0 or more seconds"),
        (["-status-addr", "nonsense"], "-status-addr: invalid address"),
    ],
)
def test_values_that_are_not_allowed(words: list[str], error: str) -> None:
    with pytest.raises(SettingsError, match=error):
        settings(*words)


def test_a_ttl_below_consul_s_minimum_has_no_effect() -> None:
    assert settings("-ttl", "9", "-ttl-refresh", "1").ttl_s == 0
    assert settings("-ttl", "10", "-ttl-refresh", "1").ttl_s == 10


def test_the_connection_is_that_of_uri_and_environment(tmp_path: Path) -> None:
    environ = {"CONSUL_HTTP_TOKEN": "secret", "CONSUL_HTTP_ADDR": "10.0.0.9:8500", "CONSUL_HTTP_SSL": "true"}
    connection = settings(environ=environ).connection()
    assert (connection.address, connection.token, connection.agent_address().secure) == (
        "10.0.0.1:8500",
        "secret",
        True,
    )
    assert settings(environ=environ, uri="consul://").connection().address == "10.0.0.9:8500"
    file = tmp_path / "token"
    file.write_text("of the file\n")
    assert settings(environ={"CONSUL_HTTP_TOKEN_FILE": str(file)}).connection().read_token() == "of the file"


@pytest.mark.parametrize(
    ("environ", "address"),
    [
        ({"DOCKER_HOST": "unix:///run/x"}, EngineAddress("/run/x")),
        ({"DOCKER_HOST": "tcp://10.0.0.1:2375"}, EngineAddress("", "http://10.0.0.1:2375")),
        (
            {"DOCKER_HOST": "tcp://10.0.0.1:2376", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/c"},
            EngineAddress("", "https://10.0.0.1:2376", "/c", True),
        ),
        ({"DOCKER_HOST": "https://10.0.0.1", "DOCKER_CERT_PATH": "/c"}, EngineAddress("", "https://10.0.0.1", "/c")),
    ],
)
def test_the_engine_s_address(environ: dict[str, str], address: EngineAddress) -> None:
    assert engine_address(environ) == address


def test_the_engine_s_address_without_a_variable() -> None:
    assert engine_address({}).socket in SOCKETS


@pytest.mark.parametrize("text", ["ssh://host", "unix://", "tcp://", "nonsense"])
def test_engines_that_cannot_be_reached(text: str) -> None:
    with pytest.raises(EngineError, match="use unix:///path, tcp://host:port or https://host:port"):
        engine_address({"DOCKER_HOST": text})
