"""Broadcasts that wait to be sent with the packets of the coming rounds of gossip, each a limited number of times.

Rules (memberlist's TransmitLimitedQueue; PROTOCOL, section 7.5):
  1. A packet is filled from the broadcasts sent least often; of these the longest that still fits, then the newest.
  2. Each broadcast goes at most once into one packet, and is dropped once it was sent `limit` times.
  3. A broadcast replaces the waiting one of the same key.
"""

from __future__ import annotations

from bisect import bisect_left, insort

from pyconsul.agent.gossip.wire.messages import PacketMessage

PART_OVERHEAD = 2  # bytes that each part costs in a compound message


class Broadcast:
    """An encoded message that waits; `token`: its end is reported under this name."""

    __slots__ = ("data", "key", "message", "order", "token", "transmissions")

    def __init__(self, message: PacketMessage, data: bytes, key: str, token: str) -> None:
        self.message, self.data, self.key, self.token = message, data, key, token
        self.transmissions = 0
        self.order = (0, 0)  # within the broadcasts sent equally often


class BroadcastQueue:
    """One queue; empty most of the time."""

    __slots__ = ("_by_key", "_count", "_tiers", "_total")

    def __init__(self) -> None:
        # transmissions → broadcasts, each with its order: longest first, then newest
        self._tiers: dict[int, list[tuple[tuple[int, int], Broadcast]]] = {}
        self._by_key: dict[str, Broadcast] = {}
        self._count = 0
        self._total = 0  # broadcasts ever added

    def __len__(self) -> int:
        return self._count

    def add(self, message: PacketMessage, data: bytes, key: str = "", token: str = "") -> str:
        """Queue a broadcast; with a key it replaces the one of that key, whose token is returned ("" for none)."""
        replaced = ""
        broadcast = Broadcast(message, data, key, token)
        self._total += 1
        broadcast.order = (-len(data), -self._total)
        if key:
            old = self._by_key.pop(key, None)
            if old is not None:
                self._remove(old)
                replaced = old.token
            self._by_key[key] = broadcast
        self._insert(broadcast)
        return replaced

    def fill(self, free: int, limit: int, max_parts: int) -> tuple[list[Broadcast], int]:
        """Return the broadcasts for a packet with `free` bytes, and the bytes that they leave."""
        taken: list[Broadcast] = []
        for transmissions in sorted(self._tiers):
            tier = self._tiers[transmissions]
            while tier and len(taken) < max_parts:
                index = bisect_left(tier, ((PART_OVERHEAD - free, -self._total - 1),))
                if index == len(tier):
                    break  # nothing of this tier fits
                broadcast = tier.pop(index)[1]
                free -= len(broadcast.data) + PART_OVERHEAD
                taken.append(broadcast)
            if not tier:
                del self._tiers[transmissions]
        self._count -= len(taken)
        for broadcast in taken:
            broadcast.transmissions += 1
            if broadcast.transmissions < limit:
                self._insert(broadcast)
            elif broadcast.key:
                self._by_key.pop(broadcast.key, None)
        return taken, free

    def prune(self, max_length: int) -> list[str]:
        """Drop the broadcasts sent most often until `max_length` are left; return the tokens of the dropped ones."""
        tokens = []
        for transmissions in sorted(self._tiers, reverse=True):
            tier = self._tiers[transmissions]
            while tier and self._count > max_length:
                broadcast = tier.pop()[1]
                self._count -= 1
                tokens.append(broadcast.token)
                if broadcast.key:
                    self._by_key.pop(broadcast.key, None)
            if not tier:
                del self._tiers[transmissions]
        return [token for token in tokens if token]

    def _insert(self, broadcast: Broadcast) -> None:
        insort(self._tiers.setdefault(broadcast.transmissions, []), (broadcast.order, broadcast))
        self._count += 1

    def _remove(self, broadcast: Broadcast) -> None:
        tier = self._tiers[broadcast.transmissions]
        del tier[bisect_left(tier, (broadcast.order,))]
        if not tier:
            del self._tiers[broadcast.transmissions]
        self._count -= 1
