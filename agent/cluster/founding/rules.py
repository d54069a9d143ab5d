"""The next step of a server that knows of no cluster: pure.

| it sees | step |
| --- | --- |
| a server with a state | waits: that one adds the others |
| servers that expect another number | waits |
| fewer servers than expected | waits |
| itself as the first candidate | proposes itself, and collects votes |
| another first candidate, while it has proposed itself | gives its proposal up |
| another first candidate than the one that has its vote | tries to take the vote back |
| the first candidate, with or without its vote | waits for that one |

The first candidate is the alive server with the smallest node ID among those that expect the number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from pyconsul.agent.cluster.founding.ballot import Ballot, Proposal


class Candidate(msgspec.Struct, frozen=True):
    """A server that is alive.  expect: the number of servers that it waits for; 0: none.  has_state: it is not a newcomer."""

    node_id: str
    name: str
    expect: int
    has_state: bool = False


class Wait(msgspec.Struct, frozen=True):
    """Nothing can be done now; the text is for the log."""

    reason: str
    is_error: bool = False


class Collect(msgspec.Struct, frozen=True):
    """Ask the other servers of the electorate for their votes; `ballot` is stored before."""

    ballot: Ballot
    proposal: Proposal


class GiveUp(msgspec.Struct, frozen=True):
    """Store `ballot`: the own proposal is given up."""

    ballot: Ballot


class TakeBack(msgspec.Struct, frozen=True):
    """Ask the electorate of a proposal to refuse it, so that the vote for it can be taken back."""

    proposal: Proposal


Step: TypeAlias = Wait | Collect | GiveUp | TakeBack


def next_step(own: Candidate, ballot: Ballot, alive: Sequence[Candidate]) -> Step:
    """Return the next step of a server.  alive: all servers that are alive, this one included."""
    if blocked := _obstacle(own, ballot, alive):
        return blocked
    names = {server.node_id: server.name for server in alive}
    first = min(server.node_id for server in alive if server.expect)
    vote = ballot.vote
    if vote is not None and vote.candidate == own.node_id:
        if first != own.node_id or not names.keys() >= set(vote.electorate):
            return GiveUp(ballot.take_back())
        return Collect(ballot, vote)
    if vote is not None and vote.candidate != first:
        return TakeBack(vote)
    if first != own.node_id:
        return Wait(f"waiting for server {names[first]}, which is going to found the cluster")
    others = sorted(names.keys() - {first})
    proposed = ballot.propose(first, tuple(sorted([first, *others[: own.expect - 1]])), own.name)
    assert proposed.vote is not None
    return Collect(proposed, proposed.vote)


def waits_for(vote: Proposal) -> str:
    """Return the text for the log while a vote cannot be taken back."""
    return (
        f"waiting for server {vote.name or vote.candidate} (node ID {vote.candidate}): it has the vote of this server, and may"
        " have founded the cluster"
    )


def _obstacle(own: Candidate, ballot: Ballot, alive: Sequence[Candidate]) -> Wait | None:
    if not own.expect:
        return Wait("waiting for a cluster that adds this server")
    if founded := [server.name for server in alive if server.has_state]:
        return Wait(f"waiting to be added by the cluster of server {founded[0]}")
    for server in alive:
        if server.expect not in (0, own.expect):
            return Wait(
                "Member has a conflicting expect value. All nodes should expect the same number.:"
                f" member={server.name} expect={server.expect} own={own.expect}",
                is_error=True,
            )
    if len(alive) < own.expect:
        vote = ballot.vote
        if vote is not None and vote.candidate not in {server.node_id for server in alive}:
            return Wait(waits_for(vote))
        missing = own.expect - len(alive)
        return Wait(f"waiting for {missing} more server{'s' * (missing > 1)}: {own.expect} are expected")
    return None
