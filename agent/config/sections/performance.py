"""Settings of timing and metrics: `performance`, `telemetry`."""

from typing import Annotated

import msgspec

from pyconsul.agent.config import validators
from pyconsul.agent.config.setting import Duration, setting


class Performance(msgspec.Struct, frozen=True, kw_only=True):
    """Timing among servers; durations in seconds."""

    leave_drain_time: Annotated[
        Duration, setting("How long a leaving server goes on answering.", unsupported="clustering")
    ] = 5.0
    raft_multiplier: Annotated[
        int,
        setting(
            "Scales the servers' time-outs; no effect here.",
            dev=1,
            check=validators.not_negative,
            unsupported="tuning of Raft",
        ),
    ] = 5
    rpc_hold_timeout: Annotated[Duration, setting("How long requests wait for a leader.", unsupported="clustering")] = (
        7.0
    )


class Telemetry(msgspec.Struct, frozen=True, kw_only=True):
    """Metrics."""

    metrics_prefix: Annotated[str, setting("What the names of metrics start with.")] = "consul"
    prometheus_retention_time: Annotated[
        Duration, setting("How long metrics are kept for Prometheus; 0: not served.", check=validators.not_negative)
    ] = 0.0
    disable_hostname: Annotated[
        bool, setting("Leave the host's name out of metrics' names.", unsupported="host names in metrics")
    ] = False
    filter_default: Annotated[
        bool, setting("Serve what no prefix decides.", reloadable=True, unsupported="filters of metrics")
    ] = True
    prefix_filter: Annotated[
        tuple[str, ...],
        setting("+prefix to serve, -prefix to drop.", reloadable=True, unsupported="filters of metrics"),
    ] = ()
    statsd_address: Annotated[
        str, setting("host:port that metrics are sent to as statsd.", unsupported="sending metrics")
    ] = ""
    statsite_address: Annotated[
        str, setting("host:port that metrics are sent to as statsite.", unsupported="sending metrics")
    ] = ""
    dogstatsd_addr: Annotated[
        str, setting("host:port that metrics are sent to as DogStatsD.", unsupported="sending metrics")
    ] = ""
    dogstatsd_tags: Annotated[
        tuple[str, ...], setting("Tags of every DogStatsD metric.", unsupported="sending metrics")
    ] = ()
    disable_per_tenancy_usage_metrics: Annotated[bool, setting("No effect.", unsupported="Consul Enterprise")] = False
    enable_host_metrics: Annotated[
        bool, setting("Serve the host's metrics, too.", unsupported="the host's metrics")
    ] = False
    retry_failed_connection: Annotated[
        bool, setting("Try again when no metrics server answers.", unsupported="sending metrics")
    ] = True
