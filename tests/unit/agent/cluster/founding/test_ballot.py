"""The rules of a server's vote, one by one."""

from __future__ import annotations

from pyconsul.agent.cluster.founding.ballot import Ballot, Proposal

FIRST = Proposal("a", 1, ("a", "b", "c"))
NEWER = Proposal("a", 2, ("a", "b", "d"))
OTHER = Proposal("b", 1, ("a", "b", "c"))


def test_a_vote_is_given_once() -> None:
    ballot = Ballot().asked_to_vote(FIRST)
    assert ballot.vote == FIRST
    assert ballot.asked_to_vote(OTHER).vote == FIRST
    assert ballot.asked_to_vote(FIRST) == ballot


def test_a_newer_proposal_of_the_candidate_gets_the_vote_and_an_older_one_does_not() -> None:
    ballot = Ballot().asked_to_vote(FIRST).asked_to_vote(NEWER)
    assert ballot.vote == NEWER
    assert ballot.asked_to_vote(FIRST).vote == NEWER


def test_what_has_the_vote_is_not_refused_and_what_is_refused_never_gets_it() -> None:
    voted = Ballot().asked_to_vote(FIRST)
    assert not voted.asked_to_refuse(FIRST).refuses(FIRST)
    refusing = Ballot().asked_to_refuse(FIRST)
    assert refusing.refuses(FIRST)
    assert refusing.asked_to_vote(FIRST).vote is None


def test_a_vote_that_was_taken_back_is_refused() -> None:
    ballot = Ballot().asked_to_vote(FIRST).take_back()
    assert ballot.refuses(FIRST)
    assert ballot.asked_to_vote(OTHER).vote == OTHER
    assert ballot.asked_to_vote(FIRST).vote is None


def test_own_proposals_are_numbered() -> None:
    ballot = Ballot().propose("a", ("a", "b"), "s1")
    assert ballot.vote is not None
    assert ballot.vote.number == 1
    again = ballot.take_back().propose("a", ("a", "b"), "s1")
    assert again.vote is not None
    assert again.vote.number == 2
