"""Serf's messages and payloads."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.gossip_messages import serf_messages

from pyconsul.agent.gossip.wire.errors import DecodeError
from pyconsul.agent.gossip.wire.serf_messages import (
    Join,
    Leave,
    Relay,
    SerfMessage,
    State,
    decode_serf_message,
    encode_serf_message,
)
from pyconsul.agent.gossip.wire.serf_payloads import (
    CoordinatePayload,
    NodeFilter,
    TagFilter,
    decode_coordinate,
    decode_filter,
    decode_tags,
    encode_coordinate,
    encode_filter,
    encode_tags,
)


@given(serf_messages())
def test_messages_round_trip(message: SerfMessage) -> None:
    assert decode_serf_message(encode_serf_message(message)) == message


@given(
    st.binary(max_size=200)
    | st.tuples(st.integers(0, 9), st.binary(max_size=200)).map(lambda it: bytes([it[0]]) + it[1])
)
def test_any_bytes_give_a_message_or_an_error(data: bytes) -> None:
    for decode in (decode_serf_message, decode_tags, decode_coordinate, decode_filter):
        with contextlib.suppress(DecodeError):
            decode(data)


def test_a_join_has_serf_s_bytes() -> None:
    assert encode_serf_message(Join(1, "a")).hex() == "0182a54c54696d6501a44e6f6465a161"
    assert encode_serf_message(Leave(5, "a", prune=True)).hex() == "0083a54c54696d6505a44e6f6465a161a55072756e65c3"


def test_absent_lists_are_nil() -> None:
    state = State(time=1, status_times={}, left_members=None, event_time=1, events=None, query_time=1)
    data = encode_serf_message(state)
    assert b"\xa6Events\xc0" in data
    assert b"\xabLeftMembers\xc0" in data


def test_the_inner_message_of_a_relay_is_left_alone() -> None:
    relay = Relay(b"\x7f\0\0\1", 7946, "b", b"\x05garbage")
    assert decode_serf_message(encode_serf_message(relay)) == relay


@pytest.mark.parametrize(
    "data", ["", "63", "0490", "0481a746696c74657273ddffffffff", "0281ac5374617475734c54696d6573dfffffffff"]
)
def test_hostile_messages_are_refused(data: str) -> None:
    with pytest.raises(DecodeError):
        decode_serf_message(bytes.fromhex(data))


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=40), max_size=20))
def test_tags_round_trip(tags: dict[str, str]) -> None:
    assert decode_tags(encode_tags(tags)) == tags


def test_meta_data_that_is_no_map_of_tags_is_the_role() -> None:
    assert decode_tags(b"web") == {"role": "web"}
    assert decode_tags(b"") == {}


@given(st.lists(st.floats(allow_nan=False), max_size=9).map(tuple), st.floats(allow_nan=False))
def test_coordinates_round_trip(vector: tuple[float, ...], error: float) -> None:
    coordinate = CoordinatePayload(vector, error, 0.0, 1e-5)
    assert decode_coordinate(encode_coordinate(coordinate)) == coordinate


@pytest.mark.parametrize("query_filter", [NodeFilter(("a", "b")), TagFilter("role", "^web")])
def test_filters_round_trip(query_filter: NodeFilter | TagFilter) -> None:
    assert decode_filter(encode_filter(query_filter)) == query_filter
