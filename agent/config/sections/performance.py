"""Settings of timing and metrics: `performance`, `telemetry`."""

from typing import Annotated

import msgspec

from pyconsul.agent.config import validators
from pyconsul.agent.config.setting import Duration, setting


class Performance(msgspec.Struct, frozen=True, kw_only=True):
    """Timing among servers; durations in seconds."""

    leave_drain_time: Annotated[
        Duration,
        setting(
            "Time for which a server that has left its cluster still answers requests.", check=validators.not_negative
        ),
    ] = 5.0
    raft_multiplier: Annotated[
        int,
        setting(
            "Election timeout of the servers' etcd in units of 200ms, at least 500ms; from 1 to 10.",
            dev=1,
            check=validators.between(1, 10),
        ),
    ] = 5
    rpc_hold_timeout: Annotated[
        Duration, setting("Time for which requests wait for a leader.", check=validators.not_negative)
    ] = 7.0


class Telemetry(msgspec.Struct, frozen=True, kw_only=True):
    """Metrics."""

    metrics_prefix: Annotated[str, setting("Prefix of the names of metrics.")] = "consul"
    prometheus_retention_time: Annotated[
        Duration, setting("Retention time of metrics in Prometheus format; 0: disabled.", check=validators.not_negative)
    ] = 0.0
    disable_hostname: Annotated[
        bool, setting("Omit the host name in names of metrics.", unsupported="host names in metrics")
    ] = False
    filter_default: Annotated[
        bool, setting("Serve metrics that match no prefix.", reloadable=True, unsupported="filters of metrics")
    ] = True
    prefix_filter: Annotated[
        tuple[str, ...],
        setting(
            "Prefixes of metrics: +prefix to serve, -prefix to drop.", reloadable=True, unsupported="filters of metrics"
        ),
    ] = ()
    statsd_address: Annotated[
        str, setting("Address (host:port) to send metrics to in statsd format.", unsupported="sending metrics")
    ] = ""
    statsite_address: Annotated[
        str, setting("Address (host:port) to send metrics to in statsite format.", unsupported="sending metrics")
    ] = ""
    dogstatsd_addr: Annotated[
        str, setting("Address (host:port) to send metrics to in DogStatsD format.", unsupported="sending metrics")
    ] = ""
    dogstatsd_tags: Annotated[
        tuple[str, ...], setting("Tags added to every DogStatsD metric.", unsupported="sending metrics")
    ] = ()
    disable_per_tenancy_usage_metrics: Annotated[bool, setting("No effect.", unsupported="Consul Enterprise")] = False
    enable_host_metrics: Annotated[bool, setting("Include metrics of the host.", unsupported="the host's metrics")] = (
        False
    )
    retry_failed_connection: Annotated[
        bool, setting("Retry when no metrics server answers.", unsupported="sending metrics")
    ] = True
