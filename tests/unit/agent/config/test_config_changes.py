"""What a reload changes, the node's ID, and templates of addresses."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from pyconsul.agent.config import host
from pyconsul.agent.config.changes import changed, secrets
from pyconsul.agent.config.host import with_node_id
from pyconsul.agent.config.load import load
from pyconsul.agent.config.problems import ConfigError

ID = "5f0e6f6c-3d3a-4b8c-9c1d-2f5f2b6a7c01"


def test_the_same_settings_change_nothing() -> None:
    assert changed(load(["-dev"]), load(["-dev"])) == ((), ())


def test_what_takes_effect_and_what_needs_a_restart() -> None:
    old = load(["-dev", '-hcl=service { name = "a" }'])
    new = load(["-dev", "-http-port=1", "-log-level=warn", '-hcl=service { name = "b" }'])
    assert changed(old, new) == (("services", "log_level"), ("ports.http",))


def test_secrets_are_gathered_for_the_log() -> None:
    text = (
        'acl { tokens { agent = "t1" } } encrypt = "MDEyMzQ1Njc4OWFiY2RlZg==" watches { type = "nodes" token = "t5" }'
        ' service { name = "a" token = "t3" check { ttl = "1s" token = "t4" } }'
    )
    assert sorted(secrets(load(["-dev", f"-hcl={text}"]))) == ["MDEyMzQ1Njc4OWFiY2RlZg==", "t1", "t3", "t4", "t5"]


def test_a_dev_agent_has_a_new_id_each_time() -> None:
    config = load(["-dev"])
    assert with_node_id(config).node_id != with_node_id(config).node_id
    assert with_node_id(msgspec.structs.replace(config, node_id=ID)).node_id == ID


def test_the_id_is_kept_in_the_data_folder(tmp_path: Path) -> None:
    config = load([f"-data-dir={tmp_path}/data", "-bind=127.0.0.1"])
    first = with_node_id(config).node_id
    assert with_node_id(config).node_id == first
    assert (tmp_path / "data" / "node-id").read_text() == first
    assert with_node_id(msgspec.structs.replace(config, node_id=ID)).node_id == ID
    assert with_node_id(config).node_id == ID


def test_a_spoilt_id_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "node-id").write_text("what?")
    with pytest.raises(ConfigError, match="is not a node ID"):
        with_node_id(load([f"-data-dir={tmp_path}", "-bind=127.0.0.1"]))


def test_an_interface_gives_its_address() -> None:
    assert host.fill_address_template('{{ GetInterfaceIP "lo" }} ::1') == "127.0.0.1 ::1"
    assert load(["-dev", '-client={{ GetInterfaceIP "lo" }}']).client_addr == "127.0.0.1"


@pytest.mark.parametrize(
    "text", ["{{ GetAllInterfaces | join }}", "{{ GetInterfaceIP }}", '{{ GetInterfaceIP "none0" }}', "{{"]
)
def test_other_templates_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"template|interface"):
        host.fill_address_template(text)
