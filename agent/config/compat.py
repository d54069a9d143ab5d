"""Compatibility with Consul's settings: old names of keys, unsupported keys and flags that existing files may contain.

An unsupported key stands for all keys below it.  Its value is not decoded; a warning names it unless it turns something off.
"""

from __future__ import annotations

from typing import Any

from pyconsul.agent.config.problems import Problems
from pyconsul.agent.config.table import SETTINGS, Setting, Values

#: Unsupported key -> its feature, for the warning.
UNSUPPORTED: dict[str, str] = {
    "auto_config": "automatic configuration",
    "auto_encrypt": "automatic certificates",
    "build_date": "another version than its own",
    "cache": "the agent's cache",
    "cloud": "HashiCorp's cloud",
    "config_entries": "the service mesh",
    "connect.ca_config": "the service mesh",
    "connect.ca_provider": "the service mesh",
    "connect.enable_mesh_gateway_wan_federation": "the service mesh",
    "connect.enable_serverless_plugin": "the service mesh",
    "connect.test_ca_leaf_root_change_spread": "the service mesh",
    "default_intention_policy": "the service mesh",
    "disable_anonymous_signature": "Consul's update check",
    "disable_coordinates": "network coordinates",
    "disable_update_check": "Consul's update check",
    "enable_agent_tls_for_checks": "TLS client certificates of checks",
    "enable_central_service_config": "the service mesh",
    "experiments": "Consul's experiments",
    "enable_xds_load_balancing": "the service mesh",
    "license_path": "Consul Enterprise",
    "node_segment": "Consul Enterprise",
    "segment": "Consul Enterprise",
    "segments": "Consul Enterprise",
    "partition": "Consul Enterprise",
    "audit": "Consul Enterprise",
    "locality": "the service mesh",
    "peering": "cluster peering",
    "primary_gateways": "the service mesh",
    "primary_gateways_interval": "the service mesh",
    "protocol": "the gossip's version",
    "raft_boltdb": "tuning of Raft",
    "raft_logstore": "tuning of Raft",
    "raft_prevote_disabled": "tuning of Raft",
    "raft_protocol": "tuning of Raft",
    "raft_snapshot_interval": "tuning of Raft",
    "raft_snapshot_threshold": "tuning of Raft",
    "raft_trailing_logs": "tuning of Raft",
    "reporting": "HashiCorp's census",
    "rpc": "Consul's RPC",
    "serf_wan_allowed_cidrs": "several datacenters",
    "server_rejoin_age_max": "Raft's protection of old servers",
    "tagged_addresses": "Consul ignores it as well; use advertise_addr_wan",
    "use_streaming_backend": "Consul's streaming",
    "xds": "the service mesh",
    "acl.msp_disable_bootstrap": "Consul Enterprise",
    "acl.tokens.managed_service_provider": "Consul Enterprise",
    "limits.request_limits.acl": "limits of one kind of request",
    "limits.request_limits.catalog": "limits of one kind of request",
    "limits.request_limits.config_entry": "limits of one kind of request",
    "limits.request_limits.connect_ca": "limits of one kind of request",
    "limits.request_limits.coordinate": "limits of one kind of request",
    "limits.request_limits.discovery_chain": "limits of one kind of request",
    "limits.request_limits.server_discovery": "limits of one kind of request",
    "limits.request_limits.health": "limits of one kind of request",
    "limits.request_limits.intention": "limits of one kind of request",
    "limits.request_limits.kv": "limits of one kind of request",
    "limits.request_limits.tenancy": "limits of one kind of request",
    "limits.request_limits.prepared_query": "limits of one kind of request",
    "limits.request_limits.session": "limits of one kind of request",
    "limits.request_limits.txn": "limits of one kind of request",
    "limits.request_limits.resource": "limits of one kind of request",
    "revision": "another version than its own",
    "version": "another version than its own",
    "version_metadata": "another version than its own",
    "version_prerelease": "another version than its own",
    "performance.grpc_keepalive_interval": "gRPC",
    "performance.grpc_keepalive_timeout": "gRPC",
    "ports.expose_max_port": "the service mesh",
    "ports.expose_min_port": "the service mesh",
    "ports.sidecar_max_port": "the service mesh",
    "ports.sidecar_min_port": "the service mesh",
    "telemetry.circonus_api_app": "Circonus",
    "telemetry.circonus_api_token": "Circonus",
    "telemetry.circonus_api_url": "Circonus",
    "telemetry.circonus_broker_id": "Circonus",
    "telemetry.circonus_broker_select_tag": "Circonus",
    "telemetry.circonus_check_display_name": "Circonus",
    "telemetry.circonus_check_force_metric_activation": "Circonus",
    "telemetry.circonus_check_id": "Circonus",
    "telemetry.circonus_check_instance_id": "Circonus",
    "telemetry.circonus_check_search_tag": "Circonus",
    "telemetry.circonus_check_tags": "Circonus",
    "telemetry.circonus_submission_interval": "Circonus",
    "telemetry.circonus_submission_url": "Circonus",
}

_NO_SEGMENTS = "Network segments are not supported in this version of Consul\n    {place}"
#: Keys with which an agent does not start, since ignoring them would be unsafe -> reason; {place} is where the key was written.
REFUSED = {
    "segment": _NO_SEGMENTS,
    "segments": _NO_SEGMENTS,
    "auto_config": "{place}: this version gets no settings, certificates and tokens from servers; write them into the file",
    "auto_encrypt": "{place}: this version has no TLS, so no certificates are fetched or handed out; remove the setting",
}

#: Unsupported keys without a noticeable effect: no warning.
SILENT = frozenset(
    {
        "disable_anonymous_signature",
        "disable_coordinates",
        "disable_update_check",
        "build_date",
        "protocol",
        "raft_protocol",
        "revision",
        "version",
        "version_metadata",
        "version_prerelease",
    }
)

#: Flags without effect -> whether they take a value.
UNSUPPORTED_FLAGS: dict[str, bool] = {
    "primary-gateway": True,
    "protocol": True,
    "raft-protocol": True,
    "segment": True,
    "serf-wan-allowed-cidrs": True,
}


def is_off(value: object) -> bool:
    """Return whether a value turns its feature off: false, -1, empty, or a section of such values."""
    if isinstance(value, dict):
        return all(is_off(item) for item in value.values())
    if isinstance(value, list | tuple):  # an HCL block is a list of maps
        return all(is_off(item) for item in value)
    return value in (False, -1, None, "")


RENAMED: dict[str, str] = {
    "acl.tokens.agent_master": "acl.tokens.agent_recovery",
    "acl.tokens.master": "acl.tokens.initial_management",
    "acl_agent_master_token": "acl.tokens.agent_recovery",
    "acl_agent_token": "acl.tokens.agent",
    "acl_datacenter": "primary_datacenter",
    "acl_default_policy": "acl.default_policy",
    "acl_down_policy": "acl.down_policy",
    "acl_enable_key_list_policy": "acl.enable_key_list_policy",
    "acl_master_token": "acl.tokens.initial_management",
    "acl_replication_token": "acl.tokens.replication",
    "acl_token": "acl.tokens.default",
    "acl_ttl": "acl.token_ttl",
    "allow_write_http_from": "http_config.allow_write_http_from",
    "ca_file": "tls.defaults.ca_file",
    "ca_path": "tls.defaults.ca_path",
    "cert_file": "tls.defaults.cert_file",
    "enable_acl_replication": "acl.enable_token_replication",
    "enable_ui": "ui_config.enabled",
    "key_file": "tls.defaults.key_file",
    "non_voting_server": "read_replica",
    "serf_lan_bind": "serf_lan",
    "serf_wan_bind": "serf_wan",
    "server_name": "tls.defaults.server_name",
    "start_join": "retry_join",
    "start_join_wan": "retry_join_wan",
    "tls_cipher_suites": "tls.defaults.tls_cipher_suites",
    "tls_min_version": "tls.defaults.tls_min_version",
    "ui": "ui_config.enabled",
    "ui_content_path": "ui_config.content_path",
    "ui_dir": "ui_config.dir",
    "verify_incoming": "tls.defaults.verify_incoming",
    "verify_incoming_https": "tls.https.verify_incoming",
    "verify_incoming_rpc": "tls.internal_rpc.verify_incoming",
    "verify_outgoing": "tls.defaults.verify_outgoing",
    "verify_server_hostname": "tls.internal_rpc.verify_server_hostname",
}


def note_unsupported(given: Values, problems: Problems) -> None:
    """Look at the settings that files and flags give, not at those of -dev.

    A value that equals the default, or turns off what is off anyway, is without a warning.
    """
    for row in SETTINGS:
        value = _value(given, row.key)
        if not _matters(row, value):
            continue
        if row.note.refused:
            problems.refusals.append(f"{row.key}: {row.note.refused}")
        elif row.note.unsupported:
            problems.unsupported[row.key] = row.note.unsupported
    _note_https(given, problems)


def _value(values: Values, key: str) -> Any:
    """The value of a whole key; None when it is not given."""
    found: Any = values
    for name in key.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _matters(row: Setting, value: Any) -> bool:
    if value is None or value == row.default or (row.key == "bootstrap_expect" and value == 1):
        return False
    return not (is_off(value) and is_off(row.default))


def _note_https(given: Values, problems: Problems) -> None:
    """Warn about HTTPS without a certificate, which Consul cannot serve either; refuse it with one, since clients rely on it."""
    if (_value(given, "ports.https") or -1) <= 0:
        return
    if _value(given, "tls.https.cert_file") or _value(given, "tls.defaults.cert_file"):
        problems.refusals.append(
            "ports.https: this version does not serve HTTPS; remove the port, and let a proxy with TLS serve the HTTP API "
            "of this agent (addresses.http can be a unix socket)"
        )
    else:
        problems.unsupported["ports.https"] = "HTTPS"
