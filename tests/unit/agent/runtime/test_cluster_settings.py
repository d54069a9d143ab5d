"""Settings of an agent as the parts of a cluster take them."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.certificate import write_certificate

from pyconsul.agent.config.config import Config
from pyconsul.agent.config.load import ConfigError, load
from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.httpapi.handlers.autopilot import initial_settings
from pyconsul.agent.model.autopilot import AutopilotSettings
from pyconsul.agent.rpc.settings import RPCSettings
from pyconsul.agent.runtime.cluster_settings import cluster_settings, member_settings, rpc_settings


@pytest.mark.parametrize(("multiplier", "heartbeat_ms", "election_ms"), [(1, 50, 500), (5, 100, 1000), (10, 200, 2000)])
def test_the_multiplier_scales_the_timers_of_etcd(multiplier: int, heartbeat_ms: int, election_ms: int) -> None:
    settings = member_settings(load(["-dev", f"-hcl=performance {{ raft_multiplier = {multiplier} }}"]))
    assert (settings.heartbeat_interval_ms, settings.election_timeout_ms) == (heartbeat_ms, election_ms)


@pytest.mark.parametrize("multiplier", [0, 11])
def test_the_range_of_the_multiplier_is_consuls(multiplier: int) -> None:
    with pytest.raises(ConfigError, match=r"raft_multiplier: .* allowed: 1 to 10"):
        load(["-dev", f"-hcl=performance {{ raft_multiplier = {multiplier} }}"])


def test_the_first_settings_of_autopilot() -> None:
    assert initial_settings(load(["-dev"])) == AutopilotSettings()
    text = 'autopilot { cleanup_dead_servers = false last_contact_threshold = "300ms" min_quorum = 3 }'
    made = initial_settings(load(["-dev", f"-hcl={text}"]))
    assert made == AutopilotSettings(cleanup_dead_servers=False, last_contact_threshold=300_000_000, min_quorum=3)


def test_the_limits_of_requests_between_agents() -> None:
    assert rpc_settings(load(["-dev"])) == RPCSettings()
    text = (
        'limits { rpc_handshake_timeout = "1s" rpc_client_timeout = "2s" rpc_max_conns_per_client = 3 rpc_rate = 4.5'
        " rpc_max_burst = 6 }"
    )
    assert rpc_settings(load(["-dev", f"-hcl={text}"])) == RPCSettings(
        handshake_timeout_s=1.0, client_timeout_s=2.0, max_connections_per_client=3, rate=4.5, max_burst=6
    )


def with_etcd(text: str) -> Config:
    """Return the settings of a server that uses an existing etcd."""
    return load(["-server", "-data-dir=d", f"-hcl=etcd {{ {text} }}"])


def test_an_existing_etcd_has_the_credentials_of_its_settings(tmp_path: Path) -> None:
    pem = write_certificate(tmp_path / "a.pem", ["a.test"])
    files = f'ca_file = "{pem}" cert_file = "{pem}" key_file = "{pem}"'
    external = cluster_settings(with_etcd(f'endpoints = ["10.0.0.1:2379"] {files} prefix = "/dc2"')).external
    assert external is not None
    assert (external.endpoints, external.prefix) == (("10.0.0.1:2379",), "/dc2")
    assert external.credentials.ca_file == external.credentials.key_file == str(pem)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ('ca_file = "FOLDER/none"', r"etcd\.ca_file: cannot use .*/none: no such file or directory"),
        ('ca_file = "FOLDER/text"', r"etcd\.ca_file: cannot use .*/text: "),
        ('cert_file = "FOLDER/text" key_file = "FOLDER/none"', r"etcd\.cert_file, etcd\.key_file: cannot use "),
    ],
)
def test_certificates_that_cannot_be_used_stop_the_start(tmp_path: Path, files: str, message: str) -> None:
    (tmp_path / "text").write_text("not a certificate")
    with pytest.raises(EngineError, match=message):
        cluster_settings(with_etcd('endpoints = ["10.0.0.1:2379"] ' + files.replace("FOLDER", str(tmp_path))))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('prefix = "/x"', "etcd: endpoints are needed"),
        ('endpoints = ["10.0.0.1:99999"]', r"etcd\.endpoints: .* allowed: HOST:PORT"),
        ('endpoints = ["10.0.0.1:2379"] password = "p"', "etcd: username and password are needed together"),
        ('endpoints = ["10.0.0.1:2379"] cert_file = "a"', "etcd: cert_file and key_file are needed together"),
    ],
)
def test_settings_of_an_existing_etcd_that_lack_something_are_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        with_etcd(text)


@pytest.mark.parametrize("mode", [["-dev"], ["-data-dir=d", "-retry-join=10.0.0.1"]])
def test_an_agent_that_does_not_use_the_etcd_says_so(mode: list[str]) -> None:
    config = load([*mode, '-hcl=etcd { endpoints = ["10.0.0.1:2379"] }'])
    assert any(warning.startswith("etcd { endpoints } has no effect") for warning in config.warnings)
