"""Evidence about each member, from this node's own probes and from claims: why it is suspected or failed."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec


class Contact(msgspec.Struct):
    """The results of this node's own probes of one member, and its end; times in seconds."""

    last_ack_at: float | None = None
    last_stream_ack_at: float | None = None  # the last probe that only a stream passed
    missed_probes: int = 0  # since the last ack of any kind
    declared_dead_by: str = ""
    accusers: tuple[str, ...] = ()  # at that time


class Contacts:
    """The contacts by member."""

    __slots__ = ("_by_name",)

    def __init__(self) -> None:
        self._by_name: dict[str, Contact] = {}

    def get(self, name: str) -> Contact:
        return self._by_name.get(name) or Contact()

    def acked(self, name: str, now: float) -> None:
        contact = self._entry(name)
        contact.last_ack_at, contact.missed_probes = now, 0

    def stream_acked(self, name: str, now: float) -> None:
        contact = self._entry(name)
        contact.last_stream_ack_at, contact.missed_probes = now, 0

    def missed(self, name: str) -> None:
        self._entry(name).missed_probes += 1

    def died(self, name: str, source: str, accusers: Iterable[str]) -> None:
        contact = self._entry(name)
        contact.declared_dead_by, contact.accusers = source, tuple(accusers)

    def revived(self, name: str) -> None:
        contact = self._by_name.get(name)
        if contact is not None:
            contact.declared_dead_by, contact.accusers, contact.missed_probes = "", (), 0

    def forget(self, name: str) -> None:
        self._by_name.pop(name, None)

    def _entry(self, name: str) -> Contact:
        contact = self._by_name.get(name)
        if contact is None:
            contact = self._by_name[name] = Contact()
        return contact
