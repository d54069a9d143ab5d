"""The table of settings holds together: types, flags, defaults, documentation."""

from __future__ import annotations

import re

import msgspec
import pytest

from pyconsul.agent.config.compat import RENAMED, SILENT, UNSUPPORTED, UNSUPPORTED_FLAGS
from pyconsul.agent.config.config import Config
from pyconsul.agent.config.flags import options
from pyconsul.agent.config.table import BY_FLAG, BY_KEY, ROOT, SETTINGS, Kind, Setting

# https://developer.hashicorp.com/consul/docs/agent/config/cli-flags, without those of Consul Enterprise.
CONSUL_FLAGS = re.findall(
    r"\S+",
    """
advertise advertise-wan allow-write-http-from alt-domain auto-reload-config bind bootstrap bootstrap-expect
check_output_max_size client config-dir config-file config-format data-dir datacenter default-query-time dev
disable-host-node-id disable-keyring-file dns-port domain enable-local-script-checks enable-script-checks encrypt
grpc-port grpc-tls-port hcl http-port https-port join join-wan log-file log-json log-level log-rotate-bytes
log-rotate-duration log-rotate-max-files max-query-time node node-id node-meta non-voting-server pid-file
primary-gateway protocol raft-protocol read-replica recursor rejoin retry-interval retry-interval-wan retry-join
retry-join-wan retry-max retry-max-wan segment serf-lan-allowed-cidrs serf-lan-bind serf-lan-port
serf-wan-allowed-cidrs serf-wan-bind serf-wan-port server server-port syslog ui ui-content-path ui-dir
""",
)


@pytest.mark.parametrize("row", SETTINGS, ids=lambda row: row.key)
def test_each_row_is_complete(row: Setting) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*", row.key)
    assert row.note.doc.endswith(".")
    assert isinstance(row.default_text, str)
    # What is worked out at start is empty before.
    if row.note.check and not row.note.computed:
        assert row.note.check(row.default) is None
        assert row.note.dev is None or row.note.check(row.note.dev) is None


def test_every_field_of_the_config_is_in_the_table() -> None:
    fields = {field.name for field in msgspec.structs.fields(Config)} - {"origin", "warnings", "refusals"}
    assert fields == set(ROOT.entries)


def test_every_flag_of_consul_is_accepted() -> None:
    accepted = {name for option in options() for name in option.flags}
    assert accepted == set(CONSUL_FLAGS)


def test_a_flag_stands_for_one_setting() -> None:
    flags = [flag for row in SETTINGS for flag in row.note.flags]
    assert len(flags) == len(set(flags)) == len(BY_FLAG)
    assert not set(flags) & set(UNSUPPORTED_FLAGS)


def test_old_names_lead_to_settings() -> None:
    assert all(new in BY_KEY for new in RENAMED.values())
    assert not set(RENAMED) & (set(UNSUPPORTED) | set(BY_KEY))


def test_what_is_lacking_is_not_there() -> None:
    assert not set(UNSUPPORTED) & set(BY_KEY)
    assert set(UNSUPPORTED) >= SILENT


def test_defaults_are_consuls() -> None:
    shown = {
        key: BY_KEY[key].default_text for key in ("ports.http", "ports.dns", "acl.token_ttl", "domain", "datacenter")
    }
    assert shown == {
        "ports.http": "8500",
        "ports.dns": "8600",
        "acl.token_ttl": "30s",
        "domain": "consul.",
        "datacenter": "dc1",
    }


def test_tokens_and_keys_are_secret() -> None:
    for row in SETTINGS:
        if row.key == "encrypt" or row.key.startswith("acl.tokens."):
            assert row.note.secret, row.key
            assert row.kind is Kind.STRING
