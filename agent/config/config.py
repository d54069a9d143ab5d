"""The agent's settings, all of them: one declaration of each key, its flags, type, default, validation and documentation.

Keys are Consul's (https://developer.hashicorp.com/consul/docs/agent/config/config-files); durations are seconds, sizes bytes.
`table.SETTINGS` lists what is declared here and in the sections; `load.load` reads flags and files into a `Config`.
"""

from typing import Annotated, Any

import msgspec

from pyconsul.agent.config import validators as allowed
from pyconsul.agent.config.sections.acl import ACL
from pyconsul.agent.config.sections.cluster import Autopilot, Etcd, Mode, SnapshotSchedule, mode_of
from pyconsul.agent.config.sections.definitions import Definition as Definition
from pyconsul.agent.config.sections.definitions import Origin as Origin
from pyconsul.agent.config.sections.dns import DNSConfig
from pyconsul.agent.config.sections.gossip import GossipTiming, WANGossipTiming
from pyconsul.agent.config.sections.http import HTTPConfig, Limits
from pyconsul.agent.config.sections.network import Addresses, Ports, UnixSockets
from pyconsul.agent.config.sections.performance import Performance, Telemetry
from pyconsul.agent.config.sections.tls import TLS, Connect
from pyconsul.agent.config.sections.ui import UIConfig
from pyconsul.agent.config.setting import DATACENTERS, Duration, setting


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """All settings of an agent; `Config()` holds the defaults."""

    # Where it runs and what it is called.
    dev_mode: Annotated[
        bool, setting("Development mode: a server on 127.0.0.1 that keeps everything in memory.", "dev", flag_only=True)
    ] = False
    data_dir: Annotated[str, setting("Directory of the agent's data.", "data-dir")] = ""
    datacenter: Annotated[
        str,
        setting("Name of the datacenter.", "datacenter", check=allowed.datacenter, error=allowed.DATACENTER_ERROR),
    ] = "dc1"
    primary_datacenter: Annotated[
        str, setting("Datacenter that ACLs are managed in.", check=allowed.datacenter, computed="datacenter")
    ] = ""
    node_name: Annotated[
        str, setting("Name of the node.", "node", check=allowed.node_name, computed="the host's name")
    ] = ""
    node_id: Annotated[
        str,
        setting(
            "UUID of the node.",
            "node-id",
            check=allowed.node_id,
            computed="from the data folder, or random",
            error=allowed.NODE_ID_ERROR,
        ),
    ] = ""
    node_meta: Annotated[
        dict[str, str],
        setting("Metadata of the node, as key:value.", "node-meta", check=allowed.node_meta, reloadable=True),
    ] = {}
    disable_host_node_id: Annotated[
        bool,
        setting("Do not derive the node ID from the host; it is random then.", "disable-host-node-id"),
    ] = True
    pid_file: Annotated[str, setting("File to write the process ID to.", "pid-file")] = ""

    # Addresses.
    bind_addr: Annotated[
        str,
        setting(
            "Address to bind for communication with other agents.", "bind", dev="127.0.0.1", check=allowed.ip_address
        ),
    ] = "0.0.0.0"
    client_addr: Annotated[
        str, setting("Addresses to bind for HTTP and DNS.", "client", check=allowed.listen_addresses)
    ] = "127.0.0.1"
    advertise_addr: Annotated[
        str,
        setting(
            "Address to advertise to other agents.",
            "advertise",
            check=allowed.ip_address,
            computed="bind_addr or the host's own",
        ),
    ] = ""
    advertise_addr_ipv4: Annotated[
        str, setting("IPv4 address to advertise to other agents.", check=allowed.ip_address)
    ] = ""
    advertise_addr_ipv6: Annotated[
        str, setting("IPv6 address to advertise to other agents.", check=allowed.ip_address)
    ] = ""
    advertise_addr_wan: Annotated[
        str,
        setting(
            "Address to advertise to other datacenters.",
            "advertise-wan",
            check=allowed.ip_address,
            computed="advertise_addr",
        ),
    ] = ""
    advertise_addr_wan_ipv4: Annotated[
        str, setting("IPv4 address to advertise to other datacenters.", check=allowed.ip_address)
    ] = ""
    advertise_addr_wan_ipv6: Annotated[
        str, setting("IPv6 address to advertise to other datacenters.", check=allowed.ip_address)
    ] = ""
    serf_lan: Annotated[
        str,
        setting("Address to bind for LAN gossip.", "serf-lan-bind", check=allowed.ip_address, computed="bind_addr"),
    ] = ""
    serf_wan: Annotated[
        str,
        setting(
            "Address to bind for WAN gossip.",
            "serf-wan-bind",
            check=allowed.ip_address,
            computed="bind_addr",
        ),
    ] = ""
    translate_wan_addrs: Annotated[bool, setting("Return WAN addresses of nodes in other datacenters.")] = False
    ports: Annotated[Ports, setting("Ports by protocol.")] = Ports()
    addresses: Annotated[Addresses, setting("Addresses by protocol.")] = Addresses()
    unix_sockets: Annotated[UnixSockets, setting("Owner and mode of Unix sockets.")] = UnixSockets()

    # DNS and HTTP.
    domain: Annotated[
        str, setting("Domain that the DNS server is responsible for.", "domain", check=allowed.domain)
    ] = "consul."
    alt_domain: Annotated[
        str, setting("Second domain that the DNS server is responsible for.", "alt-domain", check=allowed.domain)
    ] = ""
    recursors: Annotated[
        tuple[str, ...],
        setting("DNS servers for names outside of the domain.", "recursor", check=allowed.recursors, reloadable=True),
    ] = ()
    dns_config: Annotated[DNSConfig, setting("DNS answers.")] = DNSConfig()
    http_config: Annotated[HTTPConfig, setting("The HTTP API.")] = HTTPConfig()
    limits: Annotated[Limits, setting("Limits on requests.")] = Limits()
    ui_config: Annotated[UIConfig, setting("The web interface.")] = UIConfig()
    default_query_time: Annotated[
        Duration, setting("Duration of a blocking query that names none.", "default-query-time")
    ] = 300.0
    max_query_time: Annotated[Duration, setting("Maximum duration of a blocking query.", "max-query-time")] = 600.0
    discovery_max_stale: Annotated[
        Duration,
        setting(
            "Maximum age of responses about catalog and health that name no consistency; 0: they are current.",
            reloadable=True,
            check=allowed.not_negative,
        ),
    ] = 0.0
    session_ttl_min: Annotated[Duration, setting("Minimum TTL of a session; 0: 10s.", check=allowed.not_negative)] = 0.0
    disable_http_unprintable_char_filter: Annotated[
        bool, setting("Accept paths with unprintable characters instead of rejecting them with status 400.")
    ] = False
    enable_debug: Annotated[
        bool, setting("Enable the profiling endpoints.", dev=True, reloadable=True, unsupported="profiles")
    ] = False

    # Access and encryption.
    acl: Annotated[ACL, setting("Access control.")] = ACL()
    tls: Annotated[TLS, setting("TLS.")] = TLS()
    connect: Annotated[Connect, setting("The service mesh.")] = Connect()
    encrypt: Annotated[
        str,
        setting(
            "First gossip encryption key: 16, 24 or 32 bytes in base64. The keyring in the data directory takes precedence.",
            "encrypt",
            secret=True,
        ),
    ] = ""
    encrypt_verify_incoming: Annotated[bool, setting("Reject unencrypted gossip.")] = True
    encrypt_verify_outgoing: Annotated[bool, setting("Encrypt outgoing gossip.")] = True
    disable_keyring_file: Annotated[
        bool, setting("Keep gossip keys in memory only.", "disable-keyring-file", dev=True)
    ] = False
    serf_lan_allowed_cidrs: Annotated[
        tuple[str, ...],
        setting(
            "Networks whose agents may be members of the LAN pool; none: all.",
            "serf-lan-allowed-cidrs",
            check=allowed.network,
        ),
    ] = ()
    gossip_lan: Annotated[GossipTiming, setting("Timing of LAN gossip.")] = GossipTiming()
    gossip_wan: Annotated[WANGossipTiming, setting("Timing of WAN gossip.")] = WANGossipTiming()

    # Servers and other agents.
    server: Annotated[bool, setting("Run as a server.", "server", dev=True)] = False
    bootstrap: Annotated[bool, setting("Run as the only server.", "bootstrap")] = False
    bootstrap_expect: Annotated[
        int,
        setting(
            "Number of servers to expect before the cluster is bootstrapped.",
            "bootstrap-expect",
            check=allowed.not_negative,
            error=allowed.EXPECT_ERROR,
        ),
    ] = 0
    retry_join: Annotated[
        tuple[str, ...],
        setting(
            "Addresses of agents to join, host names included; tried again until one succeeds.",
            "retry-join",
            "join",
            check=allowed.join_addresses,
        ),
    ] = ()
    retry_interval: Annotated[
        Duration, setting("Interval between attempts to join.", "retry-interval", check=allowed.positive)
    ] = 30.0
    retry_max: Annotated[
        int,
        setting(
            "Number of retries to join after which the agent exits with status 1; 0: unlimited.",
            "retry-max",
            check=allowed.not_negative,
        ),
    ] = 0
    retry_join_wan: Annotated[
        tuple[str, ...],
        setting(
            "Addresses of servers in other datacenters to join.", "retry-join-wan", "join-wan", unsupported=DATACENTERS
        ),
    ] = ()
    retry_interval_wan: Annotated[
        Duration,
        setting("Interval between attempts to join other datacenters.", "retry-interval-wan", unsupported=DATACENTERS),
    ] = 30.0
    retry_max_wan: Annotated[
        int,
        setting(
            "Maximum number of attempts to join other datacenters; 0: unlimited.",
            "retry-max-wan",
            unsupported=DATACENTERS,
        ),
    ] = 0
    rejoin_after_leave: Annotated[bool, setting("Rejoin the cluster after having left it.", "rejoin")] = False
    reconnect_timeout: Annotated[
        Duration, setting("Time until a failed node is removed; 0: 72h.", check=allowed.not_negative)
    ] = 0.0
    advertise_reconnect_timeout: Annotated[
        Duration,
        setting(
            "Time until the others remove this node when it fails, instead of their own reconnect_timeout; 0: theirs.",
            check=allowed.not_negative,
        ),
    ] = 0.0
    reconnect_timeout_wan: Annotated[
        Duration,
        setting(
            "Time until a failed server is removed from the WAN pool; 0: 72h.",
            check=allowed.not_negative,
        ),
    ] = 0.0
    leave_on_terminate: Annotated[
        bool,
        setting(
            "Leave the cluster on SIGTERM and exit with status 0 instead of 1.",
            computed="true for a client, false for a server",
        ),
    ] = False
    skip_leave_on_interrupt: Annotated[
        bool,
        setting(
            "Do not leave the cluster on SIGINT; exit with status 1 instead of 0.",
            computed="false for a client, true for a server",
        ),
    ] = False
    performance: Annotated[Performance, setting("Timing between servers.")] = Performance()
    autopilot: Annotated[Autopilot, setting("First settings of autopilot.")] = Autopilot()
    etcd: Annotated[Etcd, setting("An existing etcd cluster.")] = Etcd()
    snapshot_schedule: Annotated[SnapshotSchedule, setting("Snapshots at intervals.")] = SnapshotSchedule()
    read_replica: Annotated[
        bool,
        setting(
            "Run as a server without a vote.", "read-replica", "non-voting-server", unsupported="servers without a vote"
        ),
    ] = False

    # Services and checks.
    services: Annotated[tuple[Definition, ...], setting("Services of this node.", reloadable=True)] = ()
    checks: Annotated[tuple[Definition, ...], setting("Checks of this node and of its services.", reloadable=True)] = ()
    allow_control_characters: Annotated[
        bool, setting("Accept control characters in names, IDs, tags, addresses and metadata of registrations.")
    ] = False
    watches: Annotated[tuple[dict[str, Any], ...], setting("Handlers to run on changes.", reloadable=True)] = ()
    enable_script_checks: Annotated[
        bool, setting("Allow script checks from files and over the API.", "enable-script-checks")
    ] = False
    enable_local_script_checks: Annotated[
        bool, setting("Allow script checks from files only.", "enable-local-script-checks")
    ] = False
    check_update_interval: Annotated[
        Duration,
        setting(
            "Delay before a change of a check's output alone is written to the catalog.", check=allowed.not_negative
        ),
    ] = 300.0
    check_output_max_size: Annotated[
        int,
        setting(
            "Maximum size of a check's output in bytes.", "check_output_max_size", check=allowed.at_least(1, "1 byte")
        ),
    ] = 4096
    discard_check_output: Annotated[bool, setting("Discard the output of checks.", reloadable=True)] = False
    disable_remote_exec: Annotated[
        bool, setting("Disable `consul exec`, which pyconsul does not support.", unsupported="remote execution")
    ] = True
    auto_reload_config: Annotated[
        bool, setting("Reload configuration files when they change.", "auto-reload-config")
    ] = False

    # The history of the KV store (Consul has none); any 0 turns it off.
    kv_history_versions: Annotated[
        int,
        setting(
            "Minimum number of earlier versions of a key to keep; 0: no history.",
            reloadable=True,
            check=allowed.not_negative,
        ),
    ] = 20
    kv_history_age: Annotated[
        Duration,
        setting(
            "Time to keep a replaced version of a key; 0: no history.", reloadable=True, check=allowed.not_negative
        ),
    ] = 720 * 3600.0
    kv_history_size: Annotated[
        int,
        setting(
            "Total size of all earlier versions in bytes; 0: no history.", reloadable=True, check=allowed.not_negative
        ),
    ] = 64 << 20
    kv_history_exclude: Annotated[
        tuple[str, ...],
        setting("Prefixes of keys without history, such as secrets/.", reloadable=True, check=allowed.key_prefix),
    ] = ()

    # Logs and metrics.
    log_level: Annotated[
        str,
        setting(
            "Minimum level of log messages: trace, debug, info, warn or error.",
            "log-level",
            dev="debug",
            check=allowed.log_level,
            reloadable=True,
        ),
    ] = "info"
    log_json: Annotated[bool, setting("Write the log as JSON.", "log-json")] = False
    log_file: Annotated[str, setting("File to write the log to, in addition to standard output.", "log-file")] = ""
    log_rotate_bytes: Annotated[int, setting("Size in bytes at which the log file is rotated.", "log-rotate-bytes")] = 0
    log_rotate_duration: Annotated[
        Duration, setting("Age at which the log file is rotated.", "log-rotate-duration")
    ] = 86400.0
    log_rotate_max_files: Annotated[
        int,
        setting(
            "Number of rotated log files to keep; 0: all, -1: none.",
            "log-rotate-max-files",
            check=allowed.at_least(-1, "-1"),
        ),
    ] = 0
    enable_syslog: Annotated[bool, setting("Write the log to syslog, in addition to standard output.", "syslog")] = (
        False
    )
    syslog_facility: Annotated[str, setting("Syslog facility.", check=allowed.syslog_facility)] = "LOCAL0"
    telemetry: Annotated[Telemetry, setting("Metrics.")] = Telemetry()

    #: What was read, for a reload and for messages; no setting.
    origin: Origin = Origin()
    #: What is accepted but has no effect, or is doubtful: sentences; no setting.
    warnings: tuple[str, ...] = ()
    #: Why an agent does not start with these settings, besides `validate.at_start`: sentences; no setting.
    refusals: tuple[str, ...] = ()

    @property
    def mode(self) -> Mode:
        """Return the mode that these settings ask for; the data folder is not looked at."""
        is_single = self.bootstrap or (self.bootstrap_expect < 2 and not self.retry_join)
        return mode_of(is_server=self.server, is_development=self.dev_mode, is_single=is_single)

    @property
    def tagged_addresses(self) -> dict[str, str]:
        """The node's addresses by Consul's tags: lan, wan, lan_ipv4, …; empty ones are left out."""
        addresses = {
            "lan": self.advertise_addr,
            "lan_ipv4": self.advertise_addr_ipv4,
            "lan_ipv6": self.advertise_addr_ipv6,
            "wan": self.advertise_addr_wan,
            "wan_ipv4": self.advertise_addr_wan_ipv4,
            "wan_ipv6": self.advertise_addr_wan_ipv6,
        }
        return {tag: address for tag, address in addresses.items() if address}

    def __repr__(self) -> str:
        """Keys and tokens stay out of tracebacks and logs."""
        return f"Config(node_name={self.node_name!r}, datacenter={self.datacenter!r}, {self.origin!r})"
