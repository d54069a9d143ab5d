"""Opens the LAN pool of an agent as its settings ask for, and logs what concerns the whole agent."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from pyconsul.agent.common.go.base64_text import decode_go_base64
from pyconsul.agent.common.go.durations import format_go_duration_s
from pyconsul.agent.config.config import Config
from pyconsul.agent.config.sections.cluster import Mode
from pyconsul.agent.config.sections.gossip import GossipTiming
from pyconsul.agent.gossip.alone import Alone
from pyconsul.agent.gossip.consul.admission import LanAdmission
from pyconsul.agent.gossip.consul.tags import ServerTags, client_tags, server_of
from pyconsul.agent.gossip.driver.opening import open_pool
from pyconsul.agent.gossip.membership import Membership, PoolEvent
from pyconsul.agent.gossip.serf.effects import MemberChanged
from pyconsul.agent.gossip.serf.settings import SerfSettings
from pyconsul.agent.gossip.settings import PoolError, PoolSettings
from pyconsul.agent.gossip.swim.settings import CONSUL_LAN, SwimSettings, consul_settings
from pyconsul.agent.gossip.wire.encryption import KEY_SIZES
from pyconsul.agent.model.member import Member, MemberEvent, MemberStatus
from pyconsul.agent.sync.node_registration import CONSUL_VERSION

BUILD = f"{CONSUL_VERSION}:pyconsul"
#: Files in the data folder; names and formats are Consul's.
KEYRING_FILE, SNAPSHOT_FILE = Path("serf", "local.keyring"), Path("serf", "local.snapshot")

_OTHER_PORT = "set -serf-lan-port to another port, or to -1 for an agent without gossip"

log = logging.getLogger("agent")


class GossipError(Exception):
    """The pool of the agent cannot be opened. `hint`: what to change."""

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.hint = hint


def lan_tags(config: Config) -> dict[str, str]:
    """Return the tags of this agent in its LAN pool."""
    if config.server:
        return server_tags(config).for_lan()
    timeout_s = config.advertise_reconnect_timeout
    return client_tags(
        node_id=config.node_id,
        datacenter=config.datacenter,
        build=BUILD,
        reconnect_timeout=format_go_duration_s(timeout_s) if timeout_s else "",
    )


def server_tags(config: Config) -> ServerTags:
    """Return what a server says of itself in its pools."""
    return ServerTags(
        node_id=config.node_id,
        datacenter=config.datacenter,
        build=BUILD,
        port=config.ports.server,
        acls_enabled=config.acl.enabled,
        wan_join_port=config.ports.serf_wan,
        bootstrap="alone" if config.mode is Mode.SINGLE_SERVER else config.bootstrap_expect or None,
    )


def lan_settings(config: Config) -> PoolSettings:
    """Return the settings of the LAN pool. Raises GossipError."""
    networks = config.serf_lan_allowed_cidrs
    folder = kept_in(config)
    serf = SerfSettings(node_name=config.node_name)
    if config.reconnect_timeout:
        serf = SerfSettings(node_name=config.node_name, reconnect_timeout_s=config.reconnect_timeout)
    return PoolSettings(
        serf=serf,
        swim=timing(CONSUL_LAN, config.gossip_lan),
        bind=config.serf_lan.strip("[]"),
        port=config.ports.serf_lan,
        advertise=config.advertise_addr,
        tags=lan_tags(config),
        admission=LanAdmission(
            datacenter=config.datacenter,
            node_name=config.node_name,
            node_id=config.node_id,
            allowed=[ipaddress.ip_network(network, strict=False) for network in networks] or None,
        ),
        keys=gossip_keys(config),
        keyring_file=None if folder is None or config.disable_keyring_file else folder / KEYRING_FILE,
        verify_incoming=config.encrypt_verify_incoming,
        verify_outgoing=config.encrypt_verify_outgoing,
        snapshot_file=None if folder is None else folder / SNAPSHOT_FILE,
        rejoin_after_leave=config.rejoin_after_leave,
    )


async def open_lan(config: Config, stack: AsyncExitStack) -> Membership:
    """Open the LAN pool of this agent; the stack closes it. Raises GossipError."""
    if config.ports.serf_lan <= 0:
        local = Member(config.node_name, config.advertise_addr, 0, lan_tags(config), MemberStatus.ALIVE)
        return Alone(local)
    pool = await opened(lan_settings(config), "LAN", _OTHER_PORT, stack)
    pool.subscribe(_report_other_bootstrapped_servers(pool))
    return pool


async def opened(settings: PoolSettings, name: str, other_port: str, stack: AsyncExitStack) -> Membership:
    """Open a pool; the stack closes it. other_port: says how to change its port. Raises GossipError."""
    try:
        if settings.snapshot_file is not None:
            settings.snapshot_file.parent.mkdir(mode=0o700, exist_ok=True)
        pool = await open_pool(settings)
    except OSError as error:
        raise GossipError(f"Failed to start {name} Serf: cannot use {error.filename}: {error.strerror}") from error
    except PoolError as error:
        hint = other_port if "bind:" in str(error) else ""
        raise GossipError(f"Failed to start {name} Serf: {error}", hint) from error
    stack.push_async_callback(pool.close)
    return pool


def _report_other_bootstrapped_servers(pool: Membership) -> Callable[[PoolEvent], None]:
    """Return a listener that logs, as Consul does, when another server joins that shares no data with this one."""

    def listen(event: PoolEvent) -> None:
        if not isinstance(event, MemberChanged) or event.event is not MemberEvent.JOIN:
            return
        other, own = server_of(event.member), server_of(pool.local)
        if other and own and other.name != own.name and other.is_bootstrapped and own.is_bootstrapped:
            log.error(
                "Two nodes are in bootstrap mode. Only one node should be in bootstrap mode, not adding Raft peer.",
                extra={"fields": {"node_to_add": other.name, "other": own.name}},
            )

    return listen


def timing(profile: SwimSettings, block: GossipTiming) -> SwimSettings:
    """Return a profile with the settings of a block."""
    return consul_settings(
        profile,
        gossip_interval_s=block.gossip_interval,
        gossip_nodes=block.gossip_nodes,
        probe_interval_s=block.probe_interval,
        probe_timeout_s=block.probe_timeout,
        retransmit_mult=block.retransmit_mult,
        suspicion_mult=block.suspicion_mult,
    )


def kept_in(config: Config) -> Path | None:
    """Return the folder that the pools keep files in; None: they keep none."""
    return None if config.dev_mode or not config.data_dir else Path(config.data_dir)


def gossip_keys(config: Config) -> tuple[bytes, ...]:
    """Return the keys of the settings. Raises GossipError."""
    if not config.encrypt:
        return ()
    key = decode_go_base64(config.encrypt)
    if len(key) not in KEY_SIZES:
        raise GossipError("Failed to configure keyring: Invalid key: key size must be 16, 24 or 32 bytes")
    return (key,)
