"""Settings of an agent, as the parts of a cluster take them."""

from __future__ import annotations

import ssl

from pyconsul.agent.cluster.etcd.member import MemberSettings
from pyconsul.agent.cluster.settings import ClusterSettings, ExternalEtcd
from pyconsul.agent.common.reasons import reason
from pyconsul.agent.config.config import Config
from pyconsul.agent.config.sections.cluster import Mode
from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.engine.etcd.settings import Credentials
from pyconsul.agent.rpc.settings import RPCSettings

#: Milliseconds for each unit of `performance.raft_multiplier`: its default, 5, gives etcd's default timers.
ELECTION_MS = 200
MIN_ELECTION_MS = 500  # less lets slow disks and busy machines lose their leader for nothing
HEARTBEATS = 10  # in an election timeout, as etcd advises


def member_settings(config: Config) -> MemberSettings:
    """Return the settings of the etcd member of a server."""
    election_ms = max(MIN_ELECTION_MS, ELECTION_MS * config.performance.raft_multiplier)
    return MemberSettings(heartbeat_interval_ms=election_ms // HEARTBEATS, election_timeout_ms=election_ms)


def rpc_settings(config: Config) -> RPCSettings:
    """Return the settings of requests between agents."""
    limits = config.limits
    return RPCSettings(
        handshake_timeout_s=limits.rpc_handshake_timeout,
        client_timeout_s=limits.rpc_client_timeout,
        max_connections_per_client=limits.rpc_max_conns_per_client,
        rate=limits.rpc_rate,
        max_burst=limits.rpc_max_burst,
    )


def cluster_settings(config: Config) -> ClusterSettings:
    """Return the settings of a server's cluster.  Raises EngineError for files of `etcd` that cannot be used."""
    etcd, external = config.etcd, None
    if etcd.endpoints:
        credentials = Credentials(etcd.ca_file, etcd.cert_file, etcd.key_file, etcd.username, etcd.password)
        _require_files(credentials)
        external = ExternalEtcd(etcd.endpoints, credentials, etcd.prefix)
    return ClusterSettings(
        expect=0 if config.read_replica else config.bootstrap_expect,
        is_bootstrapped=config.mode is Mode.SINGLE_SERVER,
        is_replica=config.read_replica,
        member=member_settings(config),
        external=external,
    )


def _require_files(credentials: Credentials) -> None:
    """Raises EngineError for certificates that cannot be read: gRPC would only say that it cannot connect."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if credentials.ca_file:
            context.load_verify_locations(credentials.ca_file)
    except OSError as error:
        raise EngineError(f"etcd.ca_file: cannot use {credentials.ca_file}: {reason(error)}") from error
    try:
        if credentials.cert_file:
            context.load_cert_chain(credentials.cert_file, credentials.key_file)
    except OSError as error:
        files = f"{credentials.cert_file} with {credentials.key_file}"
        raise EngineError(f"etcd.cert_file, etcd.key_file: cannot use {files}: {reason(error)}") from error
