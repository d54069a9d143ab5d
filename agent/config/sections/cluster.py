"""Settings of servers that form a cluster: `autopilot`, `etcd`, `snapshot_schedule`; and the modes of an agent."""

import enum
from typing import Annotated

import msgspec

from pyconsul.agent.config import validators
from pyconsul.agent.config.setting import Duration, setting


class Mode(enum.Enum):
    """The mode of an agent; the value is its name in the log.

    A single server keeps its state in `state.db` until another server joins it.  A cluster server founds a cluster together with
    the others that it expects, or waits until an existing cluster adds it.  A client agent holds its own registrations only.
    """

    DEVELOPMENT = "development"
    SINGLE_SERVER = "single-server"
    CLUSTER_SERVER = "server"
    CLIENT_AGENT = "client"


def mode_of(*, is_server: bool, is_development: bool, is_single: bool) -> Mode:
    """Return the mode of an agent."""
    if not is_server:
        return Mode.CLIENT_AGENT
    if is_development:
        return Mode.DEVELOPMENT
    return Mode.SINGLE_SERVER if is_single else Mode.CLUSTER_SERVER


class Autopilot(msgspec.Struct, frozen=True, kw_only=True):
    """The first settings of autopilot; durations in seconds.  `operator autopilot set-config` changes them for good."""

    cleanup_dead_servers: Annotated[bool, setting("Remove failed servers from the cluster.")] = True
    last_contact_threshold: Annotated[
        Duration, setting("Maximum time since the last contact of a healthy server.", check=validators.not_negative)
    ] = 0.2
    max_trailing_logs: Annotated[
        int, setting("Maximum number of commits that a healthy server may be behind.", check=validators.not_negative)
    ] = 250
    min_quorum: Annotated[
        int, setting("Minimum number of servers that stay when dead ones are removed.", check=validators.not_negative)
    ] = 0
    server_stabilization_time: Annotated[
        Duration,
        setting(
            "Time for which a new server must be alive before it gets a vote, and a failed one is kept (8s or more).",
            check=validators.not_negative,
        ),
    ] = 10.0
    redundancy_zone_tag: Annotated[
        str, setting("Metadata key of the zone of a server.", unsupported="Consul Enterprise")
    ] = ""
    disable_upgrade_migration: Annotated[
        bool, setting("Do not migrate to servers of a new version.", unsupported="Consul Enterprise")
    ] = False
    upgrade_version_tag: Annotated[
        str, setting("Metadata key of the version of a server.", unsupported="Consul Enterprise")
    ] = ""


class Etcd(msgspec.Struct, frozen=True, kw_only=True):
    """An etcd cluster that others run, instead of the members that the servers run themselves."""

    endpoints: Annotated[
        tuple[str, ...],
        setting(
            "Addresses of an existing etcd cluster that the servers use instead of running one, as host:port or URL.",
            check=validators.etcd_endpoints,
        ),
    ] = ()
    ca_file: Annotated[str, setting("File of CA certificates that etcd's certificates are verified with.")] = ""
    cert_file: Annotated[str, setting("Certificate file of this server for etcd.")] = ""
    key_file: Annotated[str, setting("Private key file of that certificate.")] = ""
    username: Annotated[str, setting("User name for etcd.")] = ""
    password: Annotated[str, setting("Password of that user.", secret=True)] = ""
    prefix: Annotated[
        str,
        setting("Beginning of the keys in etcd; each datacenter needs a different one.", check=validators.etcd_prefix),
    ] = "pyconsul"


class SnapshotSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """Snapshots at intervals, written by the leader into a folder on its machine."""

    interval: Annotated[
        Duration,
        setting("Time between two snapshots; 0: none.", check=validators.not_negative, reloadable=True),
    ] = 0.0
    retain: Annotated[
        int,
        setting("Number of snapshots to keep.", check=validators.at_least(1, "1 snapshot"), reloadable=True),
    ] = 30
    dir: Annotated[
        str,
        setting("Folder of the snapshots.", computed="snapshots in the data folder", reloadable=True),
    ] = ""
