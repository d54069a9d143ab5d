"""The votes by which servers found one cluster: a pure state machine.

A proposal names a candidate and an electorate of `bootstrap_expect` servers, the candidate included.  It founds a cluster once
every server of the electorate has voted for it.  A server has one vote, on disk before it is given.

| event | effect on the ballot of a server |
| --- | --- |
| asked for its vote, has none, has not refused the proposal | votes for it |
| asked again for the same vote | has voted for it |
| asked for its vote for a newer proposal of the same candidate | votes for that one: the candidate has given the earlier one up |
| asked to refuse a proposal that does not have its vote | refuses it for ever |
| its own proposal is not the right one any more, and has founded nothing | gives it up: refuses it for ever |
| a server of the electorate refuses the proposal that has its vote | takes its vote back, and refuses that proposal, too |

So there are never two clusters with a common server in their electorates: a vote that has been counted is only taken back when
some server of the electorate will never vote for that proposal, which therefore founds nothing.
"""

from __future__ import annotations

import msgspec


class Proposal(msgspec.Struct, frozen=True):
    """A proposal of a candidate.

    candidate, name: its node ID and name.  number: higher than those of its earlier proposals.  electorate: node IDs, sorted.
    """

    candidate: str
    number: int
    electorate: tuple[str, ...]
    name: str = ""

    @property
    def key(self) -> tuple[str, int]:
        """The identity of a proposal."""
        return self.candidate, self.number


class Ballot(msgspec.Struct, frozen=True):
    """The vote of a server and the proposals that it refuses for ever.  number: of the last proposal that it made."""

    vote: Proposal | None = None
    refused: tuple[tuple[str, int], ...] = ()
    number: int = 0

    def propose(self, own: str, electorate: tuple[str, ...], name: str) -> Ballot:
        """Vote for a new proposal of this server, which has no vote yet."""
        assert self.vote is None
        number = self.number + 1
        return msgspec.structs.replace(self, vote=Proposal(own, number, electorate, name), number=number)

    def asked_to_vote(self, proposal: Proposal) -> Ballot:
        """Return the ballot after a request for a vote; it is granted if `vote` is the proposal then."""
        vote = self.vote
        if proposal.key in self.refused:
            return self
        if vote is None or (vote.candidate == proposal.candidate and vote.number < proposal.number):
            return msgspec.structs.replace(self, vote=proposal)
        return self

    def asked_to_refuse(self, proposal: Proposal) -> Ballot:
        """Return the ballot after a request to refuse a proposal; it is refused if `refuses` says so then."""
        if self.vote == proposal or proposal.key in self.refused:
            return self
        return msgspec.structs.replace(self, refused=(*self.refused, proposal.key))

    def refuses(self, proposal: Proposal) -> bool:
        """Return whether this server will never vote for a proposal."""
        return proposal.key in self.refused

    def take_back(self) -> Ballot:
        """Take the vote back: the proposal is the own one, or a server of its electorate refuses it."""
        assert self.vote is not None
        return msgspec.structs.replace(self, vote=None, refused=(*self.refused, self.vote.key))
