"""Name conflicts: which of two agents with one name keeps it, decided by what the other members know.

An agent that hears of its own name at another address asks all members (`_serf_conflict`, payload: the bare name) which address
they know. The agents of that name stay silent. It keeps the name if at least floor(answers / 2) + 1 name its own address,
otherwise it stops. Consul switches this off. Source: Serf's behavior (PROTOCOL, section 8.5).
"""

from __future__ import annotations

from pyconsul.agent.gossip.serf.addresses import ip_bytes, ip_text
from pyconsul.agent.gossip.serf.settings import INTERNAL_QUERY
from pyconsul.agent.gossip.wire.errors import DecodeError
from pyconsul.agent.gossip.wire.serf_messages import ConflictResponse, decode_serf_message, encode_serf_message
from pyconsul.agent.model.member import Member

CONFLICT_QUERY = f"{INTERNAL_QUERY}conflict"


def answer(member: Member | None) -> bytes:
    """Return the answer of a member: what it knows under the name."""
    if member is None:
        return encode_serf_message(None)
    response = ConflictResponse(
        name=member.name,
        ip=ip_bytes(member.address),
        port=member.port,
        tags=member.tags,
        status=member.status,
        protocol_min=member.protocol_min,
        protocol_max=member.protocol_max,
        protocol_current=member.protocol_current,
        delegate_min=member.delegate_min,
        delegate_max=member.delegate_max,
        delegate_current=member.delegate_current,
    )
    return encode_serf_message(response)


class Vote:
    """The answers to one conflict query about this agent."""

    def __init__(self, own: Member) -> None:
        self._own = (own.address, own.port)
        self.answers = 0
        self.matching = 0

    def add(self, payload: bytes) -> None:
        """Count the answer of one member. Raises DecodeError."""
        message = decode_serf_message(payload)
        if message is None:
            self.answers += 1
            return
        if not isinstance(message, ConflictResponse):
            raise DecodeError("the payload is not a conflict response")
        self.answers += 1
        self.matching += (ip_text(message.ip), message.port) == self._own

    @property
    def is_kept(self) -> bool:
        """True if the majority of the answers names this agent."""
        return self.matching >= self.answers // 2 + 1
