"""Keys and flags of Consul that pyconsul accepts without effect, so that existing files keep working.

A key stands for all keys below it.  Its value is not looked at; a warning names it, unless it turns something off.
"""

from __future__ import annotations

#: Key -> what it is about, for the warning.
LACKING: dict[str, str] = {
    "advertise_reconnect_timeout": "tuning of the gossip",
    "auto_config": "automatic configuration",
    "auto_encrypt": "automatic certificates",
    "autopilot": "Raft's autopilot",
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
    "gossip_lan": "tuning of the gossip",
    "gossip_wan": "tuning of the gossip",
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
    "serf_lan_allowed_cidrs": "filters of the gossip",
    "serf_wan_allowed_cidrs": "filters of the gossip",
    "server_rejoin_age_max": "Raft's protection of old servers",
    "tagged_addresses": "Consul ignores it, too; use advertise_addr_wan",
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
    "ui_config.metrics_provider": "metrics in the web interface",
    "ui_config.metrics_provider_files": "metrics in the web interface",
    "ui_config.metrics_provider_options_json": "metrics in the web interface",
    "ui_config.metrics_proxy": "metrics in the web interface",
}

#: Keys with which an agent does not start -> why: ignoring them would be unsafe.
REFUSED = {
    "auto_config": "this version gets no settings, certificates and tokens from servers; write them into the file",
    "auto_encrypt": "this version has no TLS, so no certificates are fetched or handed out; remove the setting",
}

#: Keys whose absence changes nothing that can be noticed: no warning.
QUIET = frozenset(
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
LACKING_FLAGS: dict[str, bool] = {
    "primary-gateway": True,
    "protocol": True,
    "raft-protocol": True,
    "segment": True,
    "serf-lan-allowed-cidrs": True,
    "serf-wan-allowed-cidrs": True,
}


def is_off(value: object) -> bool:
    """Whether a value turns its feature off, so that nothing is missed: false, -1, empty, or a section of such."""
    if isinstance(value, dict):
        return all(is_off(item) for item in value.values())
    if isinstance(value, list | tuple):  # an HCL block is a list of maps
        return all(is_off(item) for item in value)
    return value in (False, -1, None, "")
