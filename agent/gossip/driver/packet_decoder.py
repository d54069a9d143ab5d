"""Decodes received packets. What cannot be read costs a count and, now and then, a log line."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from pyconsul.agent.common.go.network_errors import join_address
from pyconsul.agent.gossip.driver.frames import Frames
from pyconsul.agent.gossip.driver.pool_log import PoolLog
from pyconsul.agent.gossip.driver.sockets import SocketAddress, ip_of
from pyconsul.agent.gossip.settings import PoolAdmission
from pyconsul.agent.gossip.wire.encryption import OVERHEAD
from pyconsul.agent.gossip.wire.errors import DecodeError, DecryptError
from pyconsul.agent.gossip.wire.messages import Address, PacketMessage
from pyconsul.agent.gossip.wire.packet import decode_packet

MAX_SOURCES = 1024  # addresses of which undecryptable packets are counted


class PacketDecoder:
    """Decodes packets from allowed addresses."""

    def __init__(self, frames: Frames, admission: PoolAdmission | None, log: PoolLog) -> None:
        self._frames = frames
        self._admits = lru_cache(4096)(admission.admits_address) if admission is not None else None
        self._log = log
        self._undecryptable: dict[Address, int] = {}

    def decode(self, data: bytes, source: SocketAddress) -> tuple[Sequence[PacketMessage], Address] | None:
        """Return the messages of a packet and its source; None for a packet that is ignored."""
        address = Address(ip_of(source[0]), source[1])
        if self._admits is not None and not self._admits(address.ip):
            self._ignored("packet from outside", source, "its address is outside the allowed networks")
            return None
        try:
            packet = decode_packet(data, self._frames.present)
        except DecodeError as error:
            is_encrypted = self._looks_encrypted(data)
            reason = (
                "it seems to be encrypted, and this agent has no gossip key (encrypt)" if is_encrypted else str(error)
            )
            self._ignored("packet", source, reason)
            if isinstance(error, DecryptError) or is_encrypted:
                self._count_undecryptable(address)
            return None
        if packet.errors:
            self._ignored("packet", source, packet.errors[0])
        if self._undecryptable and packet.messages:
            self._undecryptable.pop(address, None)  # the keys fit again
        return packet.messages, address

    def undecryptable(self, address: Address) -> int:
        """Return the number of packets from an address that could not be decrypted since the last one that could."""
        return self._undecryptable.get(address, 0)

    def _looks_encrypted(self, data: bytes) -> bool:
        """Return whether an unreadable packet may come from a member with a key, while this agent has none."""
        return not self._frames.is_encrypted and data[:1] in (b"\0", b"\1") and len(data) >= OVERHEAD[1]

    def _count_undecryptable(self, address: Address) -> None:
        counts = self._undecryptable
        if address not in counts and len(counts) >= MAX_SOURCES:
            del counts[next(iter(counts))]
        counts[address] = counts.get(address, 0) + 1

    def _ignored(self, category: str, source: SocketAddress, reason: str) -> None:
        # The address is not in the category: a flood from many addresses is one kind of line.
        self._log.line(category, f"ignored a packet: source={join_address(source[0], source[1])} error={reason!r}")
