"""Members of gossip pools for unit tests."""

from __future__ import annotations

from pyconsul.agent.model.member import Member, MemberStatus


def member(
    name: str,
    *,
    address: str = "10.0.0.1",
    port: int = 8301,
    tags: dict[str, str] | None = None,
    status: MemberStatus = MemberStatus.ALIVE,
) -> Member:
    return Member(name, address, port, tags or {}, status)
