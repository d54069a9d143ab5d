"""Shared documents: what is packed is unpacked, and what is no document is said to be none."""

from __future__ import annotations

import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconsul.tools.template.dedup.document import Bodies, Document, DocumentError, is_shareable, pack, unpack
from pyconsul.tools.template.feed import lookups
from pyconsul.tools.template.feed.lookups import Lookup
from pyconsul.tools.template.feed.records import KeyPair

NAMES = st.text()
LOOKUPS = st.builds(
    Lookup,
    st.sampled_from(["service", "services", "nodes", "node", "key", "keys", "datacenters", "service_near"]),
    NAMES,
    st.lists(st.tuples(NAMES, NAMES), max_size=3).map(tuple),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
).map(lambda value: json.dumps(value).encode())


@given(NAMES, st.dictionaries(LOOKUPS, JSON), NAMES)
def test_round_trip(host: str, bodies: dict[Lookup, bytes], problem: str) -> None:
    # Through the text of a KV value, as the watchers see it.
    value = pack(Document(host, bodies, problem)).decode("utf-8", "surrogateescape")
    assert unpack(value.encode("utf-8", "surrogateescape")) == Document(host, bodies, problem)


@given(st.binary())
def test_other_bytes_are_refused(value: bytes) -> None:
    with pytest.raises(DocumentError):
        unpack(value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"Version": 2}, "it has version 2, and 1 is understood here"),
        ({}, "missing required field"),
        ({"Version": 1, "Answers": [["key", "a"]]}, "not a shared document"),
        ([], "not a shared document"),
    ],
)
def test_other_content_is_refused(content: object, words: str) -> None:
    with pytest.raises(DocumentError, match=words):
        unpack(zlib.compress(json.dumps(content).encode()))


def test_a_part_is_refused() -> None:
    whole = pack(Document("h", {lookups.key("a"): b"null"}))
    for length in range(len(whole)):
        with pytest.raises(DocumentError):
            unpack(whole[:length])


def test_kinds_that_are_not_known_are_left_out() -> None:
    answers = [["key", "a", [], None], ["telepathy", "b", [], None]]
    value = zlib.compress(json.dumps({"Version": 1, "Answers": answers}).encode())
    assert list(unpack(value).bodies) == [lookups.key("a")]


@pytest.mark.parametrize(
    ("lookup", "shareable"),
    [
        (lookups.key("a"), True),
        (lookups.service("web~n1")[0], True),
        (lookups.service("web~_agent")[0], False),
        (lookups.nodes("~_ip"), False),
        (lookups.own_node(), False),
        (lookups.file("/etc/hosts"), False),
    ],
)
def test_lookups_with_the_same_answer_on_all_machines(lookup: Lookup, shareable: bool) -> None:
    assert is_shareable(lookup) is shareable


def test_an_answer_is_encoded_once() -> None:
    bodies, first, other = Bodies(), KeyPair("a", "a", "1"), KeyPair("b", "b", "2")
    a, b = lookups.key("a"), lookups.key("b")
    before = bodies.of({b: other, a: first})
    assert list(before) == [a, b], "the same answers give the same document"
    after = bodies.of({a: first, b: KeyPair("b", "b", "3")})
    assert after[a] is before[a]
    assert after[b] != before[b]
    assert bodies.of({lookups.key("c"): None}) == {lookups.key("c"): b"null"}
