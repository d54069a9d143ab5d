"""The agent's settings, all of them: one declaration of each key, its flags, type, default, validation and documentation.

Keys are Consul's (https://developer.hashicorp.com/consul/docs/agent/config/config-files); durations are seconds, sizes bytes.
`table.SETTINGS` lists what is declared here and in the sections; `load.load` reads flags and files into a `Config`.
"""

from typing import Annotated, Any

import msgspec

from pyconsul.agent.config import validators as allowed
from pyconsul.agent.config.sections.acl import ACL
from pyconsul.agent.config.sections.dns import DNSConfig
from pyconsul.agent.config.sections.http import HTTPConfig, Limits, UIConfig
from pyconsul.agent.config.sections.network import Addresses, Ports, UnixSockets
from pyconsul.agent.config.sections.performance import Performance, Telemetry
from pyconsul.agent.config.sections.tls import TLS, Connect
from pyconsul.agent.config.setting import CLUSTERING, Duration, setting


class Definition(msgspec.Struct, frozen=True):
    """One service or check as a file defines it: Consul's snake_case keys, values not yet decoded.

    A service's `check` and `checks` are one list below `checks`.  `source` is the file's path, for messages.
    """

    source: str
    body: dict[str, Any]

    def __repr__(self) -> str:
        """Tokens stay out of tracebacks and logs."""
        return f"Definition({self.source}: {self.body.get('name') or self.body.get('id') or 'unnamed'})"


class Origin(msgspec.Struct, frozen=True):
    """The arguments and the files that a configuration was read from, in the order they were read."""

    argv: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Flags may hold secrets."""
        return f"Origin({len(self.argv)} arguments, files: {', '.join(self.files) or 'none'})"


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent is told; `Config()` holds the defaults."""

    # Where it runs and what it is called.
    dev_mode: Annotated[bool, setting("Keep nothing on disk; start a server on 127.0.0.1.", "dev", flag_only=True)] = (
        False
    )
    data_dir: Annotated[str, setting("Folder that the agent keeps its data in.", "data-dir")] = ""
    datacenter: Annotated[str, setting("The datacenter's name.", "datacenter", check=allowed.datacenter)] = "dc1"
    primary_datacenter: Annotated[
        str, setting("Datacenter that ACLs come from.", check=allowed.datacenter, computed="datacenter")
    ] = ""
    node_name: Annotated[
        str, setting("The node's name.", "node", check=allowed.node_name, computed="the host's name")
    ] = ""
    node_id: Annotated[
        str, setting("The node's UUID.", "node-id", check=allowed.node_id, computed="from the data folder, or random")
    ] = ""
    node_meta: Annotated[
        dict[str, str],
        setting("Metadata of the node, as key:value.", "node-meta", check=allowed.node_meta, reloadable=True),
    ] = {}
    disable_host_node_id: Annotated[
        bool, setting("No node ID from the host's own.", "disable-host-node-id", unsupported="node IDs from the host")
    ] = True
    pid_file: Annotated[str, setting("File that the process's number is written to.", "pid-file")] = ""

    # Addresses.
    bind_addr: Annotated[
        str, setting("Address for other agents.", "bind", dev="127.0.0.1", check=allowed.ip_address)
    ] = "0.0.0.0"
    client_addr: Annotated[
        str, setting("Addresses of the HTTP and DNS servers.", "client", check=allowed.listen_addresses)
    ] = "127.0.0.1"
    advertise_addr: Annotated[
        str,
        setting(
            "Address told to others.", "advertise", check=allowed.ip_address, computed="bind_addr or the host's own"
        ),
    ] = ""
    advertise_addr_ipv4: Annotated[str, setting("IPv4 address told to others.", check=allowed.ip_address)] = ""
    advertise_addr_ipv6: Annotated[str, setting("IPv6 address told to others.", check=allowed.ip_address)] = ""
    advertise_addr_wan: Annotated[
        str,
        setting(
            "Address told to other datacenters.", "advertise-wan", check=allowed.ip_address, computed="advertise_addr"
        ),
    ] = ""
    advertise_addr_wan_ipv4: Annotated[
        str, setting("IPv4 address told to other datacenters.", check=allowed.ip_address)
    ] = ""
    advertise_addr_wan_ipv6: Annotated[
        str, setting("IPv6 address told to other datacenters.", check=allowed.ip_address)
    ] = ""
    serf_lan: Annotated[
        str,
        setting(
            "Address of the LAN gossip.",
            "serf-lan-bind",
            check=allowed.ip_address,
            computed="bind_addr",
            unsupported="gossip",
        ),
    ] = ""
    serf_wan: Annotated[
        str,
        setting(
            "Address of the WAN gossip.",
            "serf-wan-bind",
            check=allowed.ip_address,
            computed="bind_addr",
            unsupported="gossip",
        ),
    ] = ""
    translate_wan_addrs: Annotated[bool, setting("Tell WAN addresses to other datacenters.")] = False
    ports: Annotated[Ports, setting("Ports by protocol.")] = Ports()
    addresses: Annotated[Addresses, setting("Addresses by protocol.")] = Addresses()
    unix_sockets: Annotated[UnixSockets, setting("Owner and rights of unix sockets.")] = UnixSockets()

    # DNS and HTTP.
    domain: Annotated[str, setting("Domain that DNS answers for.", "domain", check=allowed.domain)] = "consul."
    alt_domain: Annotated[str, setting("A second domain that DNS answers for.", "alt-domain", check=allowed.domain)] = (
        ""
    )
    recursors: Annotated[
        tuple[str, ...], setting("DNS servers for other names.", "recursor", check=allowed.recursors, reloadable=True)
    ] = ()
    dns_config: Annotated[DNSConfig, setting("How DNS questions are answered.")] = DNSConfig()
    http_config: Annotated[HTTPConfig, setting("The HTTP API.")] = HTTPConfig()
    limits: Annotated[Limits, setting("How much may be asked.")] = Limits()
    ui_config: Annotated[UIConfig, setting("The web interface.")] = UIConfig()
    default_query_time: Annotated[
        Duration, setting("How long a blocking query waits if it does not say.", "default-query-time")
    ] = 300.0
    max_query_time: Annotated[Duration, setting("How long a blocking query may wait.", "max-query-time")] = 600.0
    discovery_max_stale: Annotated[
        Duration,
        setting(
            "How old an answer for catalog readers may be.", reloadable=True, unsupported="reads from other servers"
        ),
    ] = 0.0
    session_ttl_min: Annotated[
        Duration, setting("The shortest TTL of a session; 0: 10s.", check=allowed.not_negative)
    ] = 0.0
    disable_http_unprintable_char_filter: Annotated[
        bool, setting("Serve paths with unprintable characters instead of refusing them with 400.")
    ] = False
    enable_debug: Annotated[
        bool, setting("Serve the profiler's paths.", dev=True, reloadable=True, unsupported="profiles")
    ] = False

    # Access and encryption.
    acl: Annotated[ACL, setting("Access control.")] = ACL()
    tls: Annotated[TLS, setting("Encryption.")] = TLS()
    connect: Annotated[Connect, setting("The service mesh.")] = Connect()
    encrypt: Annotated[
        str,
        setting(
            "Key of the gossip, 32 bytes in base64.",
            "encrypt",
            check=allowed.encrypt_key,
            secret=True,
            unsupported=CLUSTERING,
        ),
    ] = ""
    encrypt_verify_incoming: Annotated[bool, setting("Refuse gossip that is not encrypted.", unsupported="gossip")] = (
        True
    )
    encrypt_verify_outgoing: Annotated[bool, setting("Encrypt the gossip that is sent.", unsupported="gossip")] = True
    disable_keyring_file: Annotated[
        bool, setting("Keep gossip keys in memory.", "disable-keyring-file", dev=True, unsupported="gossip")
    ] = False

    # Servers and other agents.
    server: Annotated[bool, setting("Be a server.", "server", dev=True)] = False
    bootstrap: Annotated[bool, setting("Be the only server.", "bootstrap")] = False
    bootstrap_expect: Annotated[
        int,
        setting(
            "Number of servers to wait for.", "bootstrap-expect", check=allowed.not_negative, unsupported=CLUSTERING
        ),
    ] = 0
    retry_join: Annotated[
        tuple[str, ...], setting("Agents to join, until one answers.", "retry-join", "join", unsupported=CLUSTERING)
    ] = ()
    retry_interval: Annotated[
        Duration, setting("Time between tries to join.", "retry-interval", unsupported="clustering")
    ] = 30.0
    retry_max: Annotated[
        int, setting("Tries to join; 0: any number.", "retry-max", check=allowed.not_negative, unsupported="clustering")
    ] = 0
    retry_join_wan: Annotated[
        tuple[str, ...],
        setting("Servers of other datacenters to join.", "retry-join-wan", "join-wan", unsupported=CLUSTERING),
    ] = ()
    retry_interval_wan: Annotated[
        Duration, setting("Time between tries to join them.", "retry-interval-wan", unsupported="clustering")
    ] = 30.0
    retry_max_wan: Annotated[
        int, setting("Tries to join them; 0: any number.", "retry-max-wan", unsupported="clustering")
    ] = 0
    rejoin_after_leave: Annotated[
        bool, setting("Join again after having left.", "rejoin", unsupported="clustering")
    ] = False
    reconnect_timeout: Annotated[
        Duration,
        setting("Time until a lost node is forgotten; 0: 72h.", check=allowed.not_negative, unsupported="clustering"),
    ] = 0.0
    reconnect_timeout_wan: Annotated[
        Duration,
        setting(
            "Time until a lost server elsewhere is forgotten; 0: 72h.",
            check=allowed.not_negative,
            unsupported="clustering",
        ),
    ] = 0.0
    leave_on_terminate: Annotated[
        bool,
        setting(
            "Leave the cluster on SIGTERM, and exit with status 0; otherwise with 1.",
            computed="true for a client, false for a server",
        ),
    ] = False
    skip_leave_on_interrupt: Annotated[
        bool,
        setting(
            "Stay in the cluster on SIGINT, and exit with status 1; otherwise leave, with status 0.",
            computed="false for a client, true for a server",
        ),
    ] = False
    performance: Annotated[Performance, setting("Timing among servers.")] = Performance()
    read_replica: Annotated[
        bool, setting("Be a server without a vote.", "read-replica", "non-voting-server", unsupported="clustering")
    ] = False

    # Services and checks.
    services: Annotated[tuple[Definition, ...], setting("Services of this node.", reloadable=True)] = ()
    checks: Annotated[tuple[Definition, ...], setting("Checks of this node and its services.", reloadable=True)] = ()
    allow_control_characters: Annotated[
        bool, setting("Accept control characters in names, IDs, tags, addresses and metadata of registrations.")
    ] = False
    watches: Annotated[tuple[dict[str, Any], ...], setting("Handlers run on changes.", reloadable=True)] = ()
    enable_script_checks: Annotated[bool, setting("Allow checks that run programs.", "enable-script-checks")] = False
    enable_local_script_checks: Annotated[
        bool, setting("Allow such checks in files, not over the API.", "enable-local-script-checks")
    ] = False
    check_update_interval: Annotated[
        Duration, setting("How long changes of an output alone may wait.", check=allowed.not_negative)
    ] = 300.0
    check_output_max_size: Annotated[
        int, setting("Size of a check's output.", "check_output_max_size", check=allowed.at_least(1, "1 byte"))
    ] = 4096
    discard_check_output: Annotated[bool, setting("Keep no output of checks.", reloadable=True)] = False
    disable_remote_exec: Annotated[
        bool, setting("Run nothing for `consul exec`; always so here.", unsupported="remote execution")
    ] = True
    auto_reload_config: Annotated[bool, setting("Reload files that change.", "auto-reload-config")] = False

    # The history of the KV store (Consul has none); any 0 turns it off.
    kv_history_versions: Annotated[
        int,
        setting("Earlier versions of a key to keep, at least; 0: no history.", check=allowed.not_negative),
    ] = 20
    kv_history_age: Annotated[
        Duration,
        setting("How long to keep a version that was replaced; 0: no history.", check=allowed.not_negative),
    ] = 720 * 3600.0
    kv_history_size: Annotated[
        int,
        setting("Size of all earlier versions together; 0: no history.", check=allowed.not_negative),
    ] = 64 << 20
    kv_history_exclude: Annotated[
        tuple[str, ...],
        setting("Prefixes of keys whose earlier versions are not kept, such as secrets/.", check=allowed.key_prefix),
    ] = ()

    # Logs and metrics.
    log_level: Annotated[
        str,
        setting(
            "trace, debug, info, warn or error.", "log-level", dev="debug", check=allowed.log_level, reloadable=True
        ),
    ] = "info"
    log_json: Annotated[bool, setting("Write the log as JSON.", "log-json")] = False
    log_file: Annotated[str, setting("File that the log is written to as well.", "log-file")] = ""
    log_rotate_bytes: Annotated[int, setting("Size at which a new log file begins.", "log-rotate-bytes")] = 0
    log_rotate_duration: Annotated[Duration, setting("Age at which a new log file begins.", "log-rotate-duration")] = (
        86400.0
    )
    log_rotate_max_files: Annotated[
        int,
        setting("Old log files to keep; 0: all, -1: none.", "log-rotate-max-files", check=allowed.at_least(-1, "-1")),
    ] = 0
    enable_syslog: Annotated[bool, setting("Write the log to syslog as well.", "syslog")] = False
    syslog_facility: Annotated[str, setting("The facility to use.", check=allowed.syslog_facility)] = "LOCAL0"
    telemetry: Annotated[Telemetry, setting("Metrics.")] = Telemetry()

    #: What was read, for a reload and for messages; no setting.
    origin: Origin = Origin()
    #: What is accepted but has no effect, or is doubtful: sentences; no setting.
    warnings: tuple[str, ...] = ()
    #: Why an agent does not start with these settings, besides `validate.at_start`: sentences; no setting.
    refusals: tuple[str, ...] = ()

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
