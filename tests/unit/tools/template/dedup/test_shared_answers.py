"""What an instance is among those that share a template's answers, by what the key says. Time is passed in."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pyconsul.tools.template.dedup.document import Document, pack
from pyconsul.tools.template.dedup.shared_answers import GRACE_S, Role, Share
from pyconsul.tools.template.feed import lookups
from pyconsul.tools.template.feed.lookups import Lookup
from pyconsul.tools.template.feed.records import KeyPair

OURS, THEIRS = "our-session", "their-session"
A, B = lookups.key("a"), lookups.key("b")
LOCAL = lookups.file("/etc/hostname")
WANTED = {A, B, LOCAL}


def body(value: str) -> bytes:
    return msgspec.json.encode([{"Key": "a", "Value": value}])


def key(session: str, value: bytes = b"") -> KeyPair:
    return KeyPair("k", "k", value.decode("utf-8", "surrogateescape"), Session=session)


def told(**values: str) -> KeyPair:
    bodies = {lookups.key(name): body(value) for name, value in values.items()}
    return key(THEIRS, pack(Document("other", bodies)))


def own(share: Share, asked: frozenset[Lookup] = frozenset()) -> set[Lookup]:
    return share.own_lookups(WANTED, asked)


def test_local_lookups_are_queried_at_once_and_others_after_a_grace_period() -> None:
    share = Share(0.0)
    assert own(share) == {LOCAL}
    assert own(share, frozenset({A})) == {A, LOCAL}, "what is asked for already goes on"
    assert share.deadline == GRACE_S
    share.check_wait(GRACE_S - 0.1, reachable=True)
    assert share.role is Role.WAITING
    share.check_wait(GRACE_S, reachable=True)
    assert (share.role, own(share), share.deadline) == (Role.ALONE, WANTED, None)


def test_the_grace_period_stops_while_consul_does_not_answer() -> None:
    share = Share(0.0)
    share.check_wait(100.0, reachable=False)
    assert (share.role, share.deadline) == (Role.WAITING, 100.0 + GRACE_S)


def test_the_holder_of_the_key_leads() -> None:
    share = Share(0.0)
    share.update(None, "", 1.0)
    assert share.vacant
    share.update(key(OURS), OURS, 2.0)
    assert (share.role, share.vacant, share.is_unpublished, own(share)) == (Role.LEADER, False, True, WANTED)
    share.update(key(OURS, pack(Document("we"))), OURS, 3.0)
    assert (share.role, share.is_unpublished) == (Role.LEADER, False)


def test_a_key_without_a_session_is_vacant() -> None:
    share = Share(0.0)
    share.update(key(""), "", 1.0)
    assert (share.role, share.vacant) == (Role.WAITING, True)


def test_a_follower_queries_what_the_document_lacks() -> None:
    share = Share(0.0)
    assert share.update(told(a="MQ=="), OURS, 1.0) == {A}
    assert (share.role, share.leader, share.deadline) == (Role.FOLLOWER, "other", None)
    assert share.answers[A].Value == "1"
    assert own(share) == {B, LOCAL}
    assert share.update(told(a="MQ==", b="Mg=="), OURS, 2.0) == {B}, "only what has changed is news"
    assert (share.answers[A].Value, share.answers[B].Value) == ("1", "2")
    assert own(share) == {LOCAL}
    assert share.update(told(b="Mw=="), OURS, 3.0) == {B}
    assert own(share) == {A, LOCAL}


@pytest.mark.parametrize("gone", [None, key(""), key(THEIRS)])
def test_a_leader_that_has_gone_is_waited_for(gone: KeyPair | None) -> None:
    share = Share(0.0)
    share.update(told(a="MQ==", b="Mg=="), OURS, 1.0)
    assert share.update(gone, OURS, 10.0) == set()
    assert (share.role, own(share), share.deadline) == (Role.WAITING, {LOCAL}, 10.0 + GRACE_S)
    assert share.update(told(a="MQ==", b="Mg=="), OURS, 11.0) == set(), "a new one tells the same"
    assert share.role is Role.FOLLOWER
    share.update(gone, OURS, 20.0)
    share.check_wait(20.0 + GRACE_S, reachable=True)
    assert (share.role, own(share), share.problem) == (Role.ALONE, WANTED, "other shares no answers any more")
    assert share.update(told(a="MQ=="), OURS, 30.0) == {A}, "better late than never"


def test_a_deposed_leader_queries_until_it_gets_a_document() -> None:
    share = Share(0.0)
    share.update(key(OURS), OURS, 1.0)
    share.update(key(THEIRS), OURS, 2.0)
    assert (share.role, own(share, frozenset(WANTED))) == (Role.WAITING, WANTED)
    assert share.update(told(a="MQ=="), OURS, 3.0) == {A}


def test_an_instance_stays_alone_until_it_leads_or_follows() -> None:
    share = Share(0.0)
    share.check_wait(GRACE_S, reachable=True)
    for seen in (None, key(""), key(THEIRS)):
        share.update(seen, OURS, 10.0)
        assert share.role is Role.ALONE
    share.update(key(OURS), OURS, 11.0)
    assert (share.role, share.problem) == (Role.LEADER, "")


@pytest.mark.parametrize(
    "value",
    [
        b"text",
        pack(Document("other", {A: b'"no pairs"'})),
        pack(Document("other", {A: b'[{"Value": "MQ=="}]'})),
        pack(Document("other", {A: b'[{"Key": "a", "Value": "x"}]'})),
    ],
    ids=["no document", "no pairs", "no key", "no base64"],
)
def test_unusable_documents(value: bytes) -> None:
    share = Share(0.0)
    assert share.update(key(THEIRS, value), OURS, 1.0) == set()
    assert (share.role, share.answers, share.vacant) == (Role.ALONE, {}, False)
    assert share.problem.startswith("the shared document cannot be used: ")


def test_a_leader_publishes_its_problem() -> None:
    share = Share(0.0)
    share.update(key(THEIRS, pack(Document("other", problem="too many"))), OURS, 1.0)
    assert (share.role, share.problem) == (Role.ALONE, "too many")


def test_values_are_in_no_message() -> None:
    secret: Any = pack(Document("other", {A: b'[{"Key": "a", "Value": {"secret": "hunter2"}}]'}))
    share = Share(0.0)
    share.update(key(THEIRS, secret), OURS, 1.0)
    assert share.role is Role.ALONE
    assert "hunter2" not in share.problem


def test_shared_data_go_on_aging_without_a_leader() -> None:
    share = Share(0.0)
    share.update(told(a="MQ=="), OURS, 1.0)
    assert share.data_age_s(1.0) is None
    share.note_age(3.0, 10.0)
    assert share.data_age_s(11.0) == 4.0
    share.update(None, OURS, 20.0)
    share.note_age(None, 20.0)
    assert (share.role, share.data_age_s(27.0)) == (Role.WAITING, 20.0)
    share.update(key(OURS), OURS, 28.0)
    share.note_age(None, 28.0)
    assert share.data_age_s(29.0) is None, "who leads asks itself"


def test_the_session_of_another_leader_is_known() -> None:
    share = Share(0.0)
    for pair, holder in ((None, ""), (key(THEIRS), THEIRS), (told(a="MQ=="), THEIRS), (key(OURS), ""), (key(""), "")):
        share.update(pair, OURS, 1.0)
        assert share.holder == holder
