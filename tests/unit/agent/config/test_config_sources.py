"""The sources of settings."""

from __future__ import annotations

from pathlib import Path

from pyconsul.agent.config.load import load
from pyconsul.agent.config.readers.sources import source_of


def sources(*argv: str) -> dict[str, str]:
    return load(argv).origin.sources


def test_each_setting_names_what_has_set_it(tmp_path: Path) -> None:
    first, second = tmp_path / "a.hcl", tmp_path / "b.json"
    first.write_text('datacenter = "east"\nports { http = 1\n dns = 2 }\nretry_join = ["10.0.0.1"]')
    second.write_text('{"ports": {"dns": 3}, "retry_join": ["10.0.0.2"], "node_name": "a"}')
    files = f"-config-file={first}", f"-config-file={second}"
    found = sources(*files, "-node=b", '-hcl=log_level = "debug"', f"-data-dir={tmp_path}")
    assert found == {
        "datacenter": str(first),
        "ports.http": str(first),
        "ports.dns": str(second),
        "retry_join": f"{first}, {second}",
        "node_name": "-node",
        "log_level": "-hcl 1",
        "data_dir": "-data-dir",
    }


def test_the_development_mode_is_a_source_that_others_replace() -> None:
    found = sources("-dev", "-log-level=warn")
    assert found["log_level"] == "-log-level"
    assert found["dev_mode"] == "-dev"
    assert found["ui_config.enabled"] == "-dev"
    assert "datacenter" not in found


def test_protocols_take_their_settings_from_the_defaults_of_tls(tmp_path: Path) -> None:
    file = tmp_path / "tls.json"
    file.write_text('{"tls": {"defaults": {"verify_incoming": true}, "https": {"verify_incoming": false}}}')
    found = sources("-dev", f"-config-file={file}")
    assert source_of("tls.internal_rpc.verify_incoming", found) == str(file)
    assert source_of("tls.https.ca_file", found) == ""
