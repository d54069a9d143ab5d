"""Defaults, -dev, files and flags put together; rules between settings; what is said of mistakes."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from pyconsul.agent.config.config import Config
from pyconsul.agent.config.load import ConfigError, load, load_files, reload
from pyconsul.agent.config.sections.cluster import Mode
from pyconsul.agent.config.validate import at_start


def write(folder: Path, name: str, content: dict[str, Any] | str) -> str:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def dev(folder: Path, content: dict[str, Any] | str, *argv: str) -> Config:
    name = "agent.hcl" if isinstance(content, str) else "agent.json"
    return load(["-dev", "-config-file", write(folder, name, content), *argv])


def refusal(folder: Path, content: dict[str, Any] | str, *argv: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        dev(folder, content, *argv)
    return list(caught.value.errors)


def test_dev_needs_nothing_else() -> None:
    config = load(["-dev"])
    assert (config.dev_mode, config.server, config.log_level, config.ui_config.enabled) == (True, True, "debug", True)
    assert (config.bind_addr, config.advertise_addr, config.client_addr) == ("127.0.0.1",) * 3
    assert config.tagged_addresses == dict.fromkeys(("lan", "lan_ipv4", "wan", "wan_ipv4"), "127.0.0.1")
    assert (config.ports.http, config.ports.dns, config.ports.https) == (8500, 8600, -1)
    assert config.node_name == socket.gethostname()
    assert config.warnings == ()


def test_without_dev_a_data_folder_is_needed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="data_dir cannot be empty"):
        load([])
    config = load(["-data-dir", str(tmp_path), "-advertise=10.1.2.3"])
    assert (config.server, config.log_level, config.advertise_addr) == (True, "info", "10.1.2.3")
    assert (config.leave_on_terminate, config.skip_leave_on_interrupt) == (False, True)


@pytest.mark.parametrize(
    ("argv", "mode"),
    [
        ([], Mode.SINGLE_SERVER),
        (["-server"], Mode.SINGLE_SERVER),
        (["-server", "-bootstrap", "-retry-join=10.0.0.1"], Mode.SINGLE_SERVER),
        (["-server", "-bootstrap-expect=1", "-retry-join=10.0.0.1"], Mode.SINGLE_SERVER),
        (["-server", "-bootstrap-expect=3"], Mode.CLUSTER_SERVER),
        (["-server", "-retry-join=10.0.0.1"], Mode.CLUSTER_SERVER),
        (["-retry-join=10.0.0.1"], Mode.CLIENT_AGENT),
        (["-server=false"], Mode.CLIENT_AGENT),
        (["-dev"], Mode.DEVELOPMENT),
        (["-dev", "-retry-join=10.0.0.1"], Mode.DEVELOPMENT),
        (["-dev", "-server=false"], Mode.CLIENT_AGENT),
    ],
)
def test_the_mode_of_an_agent(argv: list[str], mode: Mode, tmp_path: Path) -> None:
    config = load(["-data-dir", str(tmp_path), *argv])
    assert config.mode is mode
    assert config.server is (mode is not Mode.CLIENT_AGENT)
    assert config.leave_on_terminate is (mode is Mode.CLIENT_AGENT)


def test_a_server_stays_in_the_cluster_when_it_is_stopped(tmp_path: Path) -> None:
    config = load(["-data-dir", str(tmp_path), "-server", "-bind=127.0.0.1"])
    assert (config.leave_on_terminate, config.skip_leave_on_interrupt) == (False, True)


def test_later_sources_win_and_lists_and_maps_grow(tmp_path: Path) -> None:
    first = {
        "datacenter": "DC9",
        "recursors": ["1.1.1.1"],
        "node_meta": {"a": "1", "b": "1"},
        "ports": {"http": 1, "dns": 2},
    }
    second = {"recursors": ["2.2.2.2"], "node_meta": {"b": "2"}, "ports": {"http": 3}, "log_level": "WARN"}
    paths = [write(tmp_path, "1.json", first), write(tmp_path, "2.json", second)]
    argv = [f"-config-file={path}" for path in paths]
    config = load(["-dev", "-dns-port=4", *argv, "-recursor=3.3.3.3", "-node-meta=c:3"])
    assert config.recursors == ("1.1.1.1", "2.2.2.2", "3.3.3.3")
    assert config.node_meta == {"a": "1", "b": "2", "c": "3"}
    assert (config.ports.http, config.ports.dns, config.log_level, config.datacenter) == (3, 4, "warn", "dc9")
    assert config.origin.files == tuple(paths)


def test_a_folder_is_read_in_order_of_names(tmp_path: Path) -> None:
    folder = tmp_path / "conf.d"
    folder.mkdir()
    (folder / "deeper").mkdir()
    write(folder / "deeper", "no.json", "not read")
    write(folder, "README", "not read")
    write(folder, "20.json", {"node_name": "twenty", "service": {"name": "b"}})
    write(folder, "10.hcl", 'node_name = "ten"\nservice {\n  name = "a"\n}\n')
    config = load(["-dev", "-config-dir", str(folder)])
    assert config.node_name == "twenty"
    assert [(Path(one.source).name, one.body["name"]) for one in config.services] == [("10.hcl", "a"), ("20.json", "b")]
    assert any("skipping file" in text and "README" in text for text in config.warnings)


def test_every_kind_of_value(tmp_path: Path) -> None:
    config = dev(
        tmp_path,
        """
        check_update_interval = "1m30s"
        dns_config {
          service_ttl { "*" = "3s", web-1 = "500ms" }
          udp_answer_limit = 5
          soa { min_ttl = 60 }
        }
        limits { rpc_rate = 2.5 }
        acl = { enabled = true, tokens = { agent = "secret-of-the-agent" } }
        http_config { response_headers { "X-A" = "b" } block_endpoints = ["/v1/agent/self"] }
        """,
    )
    assert config.check_update_interval == 90.0
    assert config.dns_config.service_ttl == {"*": 3.0, "web-1": 0.5}
    assert (config.dns_config.soa.min_ttl, config.dns_config.soa.retry, config.dns_config.udp_answer_limit) == (
        60,
        600,
        5,
    )
    assert config.limits.rpc_rate == 2.5
    assert config.acl.tokens.agent == "secret-of-the-agent"
    assert config.http_config.response_headers == {"X-A": "b"}
    assert "secret-of-the-agent" not in repr(config) + repr(config.acl)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"no_such_key": 1}, "invalid config key no_such_key"),
        ({"datacentre": "x"}, "invalid config key datacentre; did you mean datacenter?"),
        ({"ports": {"htpp": 1}}, "invalid config key ports.htpp; did you mean http?"),
        ({"dev_mode": True}, "invalid config key dev_mode"),
        ({"server": "perhaps"}, 'server: "perhaps" is not allowed; allowed: true or false'),
        ({"ports": {"http": "8500"}}, 'ports.http: "8500" is not allowed; allowed: a whole number'),
        ({"ports": {"http": 1.5}}, "ports.http: 1.5 is not allowed"),
        ({"ports": 8500}, "ports: the value is not an object"),
        ({"ports": {"dns": 65536}}, "ports.dns: 65536 is not allowed; allowed: a port"),
        ({"check_update_interval": 5}, "check_update_interval: 5 is not allowed; allowed: a number with a unit"),
        ({"check_update_interval": "soon"}, 'check_update_interval: "soon" is not allowed'),
        (
            {"dns_config": {"service_ttl": {"*": 3}}},
            "dns_config.service_ttl.*: 3 is not allowed; allowed: a number with",
        ),
        ({"node_meta": {"a": 1}}, "node_meta.a: 1 is not allowed; allowed: a text in quotes"),
        ({"recursors": "1.1.1.1"}, "recursors"),
        ({"recursors": ["dns.example"]}, "recursors"),
        ({"node_meta": {"consul-x": "y"}}, "node_meta"),
        ({"node_meta": {"a b": "y"}}, "node_meta"),
        ({"datacenter": "bad dc!"}, 'datacenter: "bad dc!" is not allowed; allowed: lower-case letters'),
        ({"bind_addr": "not-an-ip"}, "bind_addr"),
        ({"log_level": "loud"}, "log_level"),
        ({"node_id": "x"}, "node_id"),
        ({"encrypt": "not base64"}, "encrypt has invalid key: illegal base64 data at input byte 3"),
        ({"retry_join": ["provider=aws tag_key=x"]}, "retry_join: cloud auto-join (provider=aws) is not supported"),
        ({"retry_join": [""]}, "retry_join"),
        ({"retry_interval": "0s"}, "more than 0"),
        ({"gossip_lan": {"probe_interval": "0s"}}, "gossip_lan.probe_interval"),
        ({"gossip_lan": {"gossip_nodes": 0}}, "at least 1 member"),
        ({"serf_lan_allowed_cidrs": ["10.0.0.0/33"]}, "serf_lan_allowed_cidrs"),
        ({"advertise_reconnect_timeout": "8h"}, "advertise_reconnect_timeout can only be used on a client"),
        ({"http_config": {"allow_write_http_from": ["10.0.0.0/99"]}}, "http_config.allow_write_http_from"),
        ({"advertise_addr": "0.0.0.0"}, "advertise_addr"),
        ({"ports": {"http": 7001, "dns": 7001}}, "ports.http: port 7001 is already that of ports.dns"),
        ({"bootstrap_expect": 3}, "'bootstrap_expect > 0' not allowed in dev mode"),
        ({"server": False, "bootstrap": True}, "'bootstrap = true' requires 'server = true'"),
    ],
)
def test_mistakes_name_file_key_value_and_what_is_allowed(tmp_path: Path, content: dict[str, Any], text: str) -> None:
    assert any(text in line for line in refusal(tmp_path, content))


def test_the_error_about_cloud_auto_join_shows_no_secret(tmp_path: Path) -> None:
    lines = refusal(tmp_path, {"retry_join": ["tag_key=x provider=aws secret_access_key=hush"]})
    assert not any("hush" in line for line in lines)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    lines = refusal(tmp_path, {"nope": 1, "server": 3, "ports": {"http": "x"}, "service": {"port": "x"}}, "-dns-port=x")
    assert len(lines) == 5


def test_a_file_that_does_not_parse_is_told_in_gos_words(tmp_path: Path) -> None:
    path = write(tmp_path, "agent.json", "{ this is not json")
    with pytest.raises(ConfigError) as caught:
        load(["-dev", f"-config-file={path}"])
    expected = f"failed to parse {path}: invalid character 't' looking for beginning of object key string"
    assert str(caught.value) == expected


@pytest.mark.parametrize(("name", "text"), [("a.json", ""), ("a.json", " \n"), ("a.hcl", "")])
def test_a_file_without_content_sets_nothing(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert load(["-dev", "-config-file", str(tmp_path / name)]).node_name == load(["-dev"]).node_name


def test_a_file_that_is_left_out_is_told_when_something_is_missing(tmp_path: Path) -> None:
    path = write(tmp_path, "agent.txt", 'data_dir = "/tmp/x"\nbind_addr = "127.0.0.1"\n')
    with pytest.raises(ConfigError, match="skipping file") as caught:
        load_files([path])
    assert "data_dir cannot be empty" in caught.value.errors[0]
    assert load_files([path], "hcl").data_dir == "/tmp/x"


def test_missing_files_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.json failed: no such file"):
        load(["-dev", f"-config-file={tmp_path}/missing.json"])


def test_features_that_are_lacking_are_one_warning(tmp_path: Path) -> None:
    config = dev(
        tmp_path,
        {
            "connect": {"enabled": True},
            "peering": {"enabled": False},
            "disable_update_check": True,
            "ports": {"grpc": 8502},
        },
    )
    assert len(config.warnings) == 1
    assert "connect" in config.warnings[0]
    assert "ports.grpc" in config.warnings[0]
    assert "peering" not in config.warnings[0]
    assert "disable_update_check" not in config.warnings[0]


def test_old_names_of_keys_are_read(tmp_path: Path) -> None:
    config = dev(tmp_path, {"ca_file": "/ca.pem", "acl_token": "12345678-old", "start_join": ["a"], "ui": False})
    assert (config.tls.defaults.ca_file, config.tls.https.ca_file) == ("/ca.pem", "/ca.pem")
    assert (config.acl.tokens.default, config.retry_join, config.ui_config.enabled) == ("12345678-old", ("a",), False)
    assert sum("is an old name of" in text for text in config.warnings) == 4
    assert not any("12345678" in text for text in config.warnings)


def test_tls_defaults_hold_where_a_protocol_says_nothing(tmp_path: Path) -> None:
    config = dev(tmp_path, {"tls": {"defaults": {"cert_file": "d", "key_file": "k"}, "https": {"cert_file": "h"}}})
    assert (config.tls.https.cert_file, config.tls.https.key_file, config.tls.internal_rpc.cert_file) == ("h", "k", "d")


def test_keys_are_read_in_any_case_and_null_says_nothing(tmp_path: Path) -> None:
    config = dev(tmp_path, {"Node_Name": "x", "PORTS": {"HTTP": 7}, "domain": None})
    assert (config.node_name, config.ports.http, config.domain) == ("x", 7, "consul.")


def test_one_expected_server_is_a_single_server(tmp_path: Path) -> None:
    path = write(
        tmp_path, "a.json", {"data_dir": "/d", "bind_addr": "127.0.0.1", "server": True, "bootstrap_expect": 1}
    )
    config = load_files([path])
    assert (config.bootstrap, config.bootstrap_expect) == (True, 0)
    assert config.warnings[0] == "BootstrapExpect is set to 1; this is the same as Bootstrap mode."


def test_an_unknown_acl_policy_is_valid_but_no_agent_starts_with_it(tmp_path: Path) -> None:
    config = dev(tmp_path, {"acl": {"default_policy": "maybe"}})
    assert config.warnings == ()
    assert at_start(config)
    assert at_start(load(["-dev"])) == []


def test_a_reload_reads_the_files_again(tmp_path: Path) -> None:
    config = dev(tmp_path, {"node_id": "5F0E6F6C-3d3a-4b8c-9c1d-2f5f2b6a7c01", "services": [{"name": "a"}]})
    assert config.node_id == "5f0e6f6c-3d3a-4b8c-9c1d-2f5f2b6a7c01"
    write(tmp_path, "agent.json", {"services": [{"name": "b"}]})
    fresh = reload(config)
    assert [one.body["name"] for one in fresh.services] == ["b"]
    assert fresh.node_id == config.node_id


def test_names_that_dns_cannot_carry_are_told(tmp_path: Path) -> None:
    config = dev(tmp_path, {"node_name": "a_b", "service": {"name": "x.y"}})
    assert len(config.warnings) == 2


def test_a_node_has_ipv6_addresses_too(tmp_path: Path) -> None:
    config = dev(tmp_path, {"bind_addr": "[::1]"})
    assert config.tagged_addresses == dict.fromkeys(("lan", "lan_ipv6", "wan", "wan_ipv6"), "::1")


def test_the_errors_of_an_agent_that_does_not_start_are_listed_by_file(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "a.json",
        {"nonsense": 1, "retry_max": "x", "datacenter": "bad name", "server": True, "bootstrap": True},
    )
    with pytest.raises(ConfigError) as caught:
        load(["-node-id=nonsense", f"-config-file={path}"])
    lines = caught.value.report()
    assert [line.partition("\n")[0] for line in lines] == [
        f"failed to parse {path}: 1 error(s) decoding:",
        f"failed to parse {path}: 1 error occurred:",
        "failed to setup node ID: specified NodeID is invalid: uuid string is wrong length",
        'datacenter can only contain lowercase alphanumeric, - or _ characters. received: "bad name"',
    ]
    assert lines[1].endswith("\n\t* invalid config key nonsense")
    assert f'{path}: datacenter: "bad name" is not allowed' in lines[3]


def test_a_client_agent_keeps_its_registrations_in_a_folder() -> None:
    with pytest.raises(ConfigError, match="give -data-dir FOLDER to run a client agent"):
        load(["-dev", "-server=false"])


def test_snapshots_of_a_development_agent_need_a_folder(tmp_path: Path) -> None:
    text = 'snapshot_schedule { interval = "1h" }'
    with pytest.raises(ConfigError, match=r"snapshot_schedule\.dir is needed with -dev"):
        load(["-dev", f"-hcl={text}"])
    assert load(["-dev", f'-hcl={text} snapshot_schedule {{ dir = "{tmp_path}" }}']).snapshot_schedule.dir == str(
        tmp_path
    )
