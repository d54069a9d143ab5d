"""Settings of timing and metrics: `performance`, `telemetry`."""

from typing import Annotated

import msgspec

from pyconsul.agent.config import checks
from pyconsul.agent.config.setting import Duration, setting


class Performance(msgspec.Struct, frozen=True, kw_only=True):
    """Timing among servers; durations in seconds."""

    leave_drain_time: Annotated[Duration, setting("How long a leaving server goes on answering.")] = 5.0
    raft_multiplier: Annotated[
        int, setting("Scales the servers' time-outs; no effect here.", dev=1, check=checks.not_negative)
    ] = 5
    rpc_hold_timeout: Annotated[Duration, setting("How long requests wait for a leader.")] = 7.0


class Telemetry(msgspec.Struct, frozen=True, kw_only=True):
    """Metrics."""

    metrics_prefix: Annotated[str, setting("What the names of metrics start with.")] = "consul"
    prometheus_retention_time: Annotated[
        Duration, setting("How long metrics are kept for Prometheus; 0: not served.", check=checks.not_negative)
    ] = 0.0
    disable_hostname: Annotated[bool, setting("Leave the host's name out of metrics' names.")] = False
    filter_default: Annotated[bool, setting("Serve what no prefix decides.", reloadable=True)] = True
    prefix_filter: Annotated[tuple[str, ...], setting("+prefix to serve, -prefix to drop.", reloadable=True)] = ()
    statsd_address: Annotated[str, setting("host:port that metrics are sent to as statsd.")] = ""
    statsite_address: Annotated[str, setting("host:port that metrics are sent to as statsite.")] = ""
    dogstatsd_addr: Annotated[str, setting("host:port that metrics are sent to as DogStatsD.")] = ""
    dogstatsd_tags: Annotated[tuple[str, ...], setting("Tags of every DogStatsD metric.")] = ()
    disable_per_tenancy_usage_metrics: Annotated[bool, setting("No effect.")] = False
    enable_host_metrics: Annotated[bool, setting("Serve the host's metrics, too.")] = False
    retry_failed_connection: Annotated[bool, setting("Try again when no metrics server answers.")] = True
