"""The settings of one gossip pool, as its driver takes them."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import msgspec

from pyconsul.agent.gossip.serf.settings import SerfSettings
from pyconsul.agent.gossip.swim.membership import Admission
from pyconsul.agent.gossip.swim.settings import CONSUL_LAN, SwimSettings


class PoolAdmission(Admission, Protocol):
    """Merge checks that also say from which addresses packets and streams are read; see `consul.admission`."""

    def admits_address(self, ip: bytes) -> bool:
        """Return whether packets from an address (4 or 16 bytes) are to be read."""


class PoolSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of one pool. Addresses are IP addresses as text, without brackets."""

    serf: SerfSettings  # holds the name of this agent in the pool; its `gossip_interval_s` is taken from `swim`
    bind: str  # UDP and TCP listen here; "0.0.0.0" and "::" are all addresses
    port: int
    advertise: str  # the address that other members use
    advertise_port: int = 0  # 0: `port`
    tags: dict[str, str]
    swim: SwimSettings = CONSUL_LAN
    pool: str = "lan"  # "lan" or "wan", for log lines
    admission: PoolAdmission | None = None
    #: Gossip keys (16, 24 or 32 bytes), the primary one first; none: no encryption. Keys in `keyring_file` take precedence.
    keys: tuple[bytes, ...] = ()
    keyring_file: Path | None = None  # created with `keys` if it does not exist; None: kept in memory only
    verify_incoming: bool = True  # refuse what is not encrypted
    verify_outgoing: bool = True  # encrypt what is sent
    snapshot_file: Path | None = None  # members known before a restart, to be joined again; None: none are kept
    rejoin_after_leave: bool = False  # join them also after a graceful leave

    @property
    def name(self) -> str:
        """The name of this agent in the pool."""
        return self.serf.node_name


class PoolError(Exception):
    """A pool cannot be opened; the text says what failed and why.

    For example: "listen tcp 127.0.0.1:8301: bind: address already in use".
    """
