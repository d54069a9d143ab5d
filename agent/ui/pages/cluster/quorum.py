"""The quorum of servers in words: how many may fail, and what breaks if one of them stops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Voting:
    """A server as the quorum sees it. is_healthy: while no server leads, whether it is alive, since a leader judges the rest."""

    name: str
    votes: bool
    leads: bool
    is_healthy: bool


def needed(servers: Sequence[Voting]) -> int:
    """Return how many voters make a quorum."""
    return sum(server.votes for server in servers) // 2 + 1


def tolerance(servers: Sequence[Voting]) -> int:
    """Return how many more voters may stop; negative: how many are missing."""
    return sum(server.votes and server.is_healthy for server in servers) - needed(servers)


def summary(servers: Sequence[Voting]) -> str:
    """Return the state of the quorum in a sentence."""
    voters = [server for server in servers if server.votes]
    spare = tolerance(servers)
    if len(servers) == 1:
        return "There is one server: it must not fail."
    healthy = sum(server.is_healthy for server in voters)
    if not any(server.leads for server in servers):
        rest = f"{needed(servers)} are needed" if spare < 0 else "enough to elect one"
        return f"No server leads: {healthy} of {len(voters)} voters {'is' if healthy == 1 else 'are'} alive, {rest}."
    if spare < 0:
        return f"The quorum is lost: {healthy} of {len(voters)} voters are healthy, {needed(servers)} are needed."
    if spare == 0:
        return f"The quorum holds, but no other server may fail: {healthy} of {len(voters)} voters are healthy."
    return f"The quorum is safe: {spare} of {len(voters)} servers may fail."


def consequence(servers: Sequence[Voting], name: str) -> str:
    """Return what breaks if a server stops."""
    server = next(one for one in servers if one.name == name)
    spare = tolerance(servers)
    if len(servers) == 1:
        return "Everything stops until it is back: no reads, no writes. Client agents answer DNS from what they hold."
    if not server.votes:
        return "Nothing: it has no vote. It only takes part again later."
    if not server.is_healthy:
        return "Nothing more: it has failed already."
    if spare < 0:
        return "The quorum is lost already; the data of one more server is away."
    if spare == 0:
        voters = sum(one.votes for one in servers)
        return (
            f"The quorum is lost: {needed(servers) - 1} of {voters} voters are left. No writes and no reads, except stale ones, "
            "until it or another one is back."
        )
    rest = f"{spare - 1} more may fail then" if spare > 1 else "no other may fail then"
    if server.leads:
        return f"Writes pause for a second or two while another server takes the lead; {rest}."
    return f"Nothing noticeable; {rest}."
