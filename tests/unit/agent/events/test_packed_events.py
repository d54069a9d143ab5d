"""User events as agents send them to each other: recorded bytes, round trips, and any bytes at all."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pyconsul.agent.events.user_event import packed, unpacked
from pyconsul.agent.model.event import UserEvent

# Sent by Consul 1.21.4 (../shared/gossip/vectors/consul-encrypted.yaml).
RECORDED = bytes.fromhex(
    "87a24944d92437333363386638612d393762622d626533362d326364322d343364653232336139666538a16ea66465706c6f79"
    "a26e66a25e63a170c40f7061796c6f61642001206279746573a27366a3776562a27466a27631a17601"
)
EVENT = UserEvent("733c8f8a-97bb-be36-2cd2-43de223a9fe8", "deploy", b"payload \x01 bytes", "^c", "web", "v1", 1, 7)
TEXTS = st.text(max_size=20)


def test_a_recorded_event() -> None:
    assert unpacked(RECORDED, 7) == EVENT
    assert packed(EVENT) == RECORDED


@given(
    st.builds(
        UserEvent,
        st.uuids().map(str),
        TEXTS,
        st.none() | st.binary(min_size=1),
        TEXTS,
        TEXTS,
        TEXTS,
        st.integers(0, 9),
        st.just(3),
    )
)
def test_what_is_packed_is_unpacked(event: UserEvent) -> None:
    assert unpacked(packed(event), 3) == event


@given(st.binary() | st.binary().map(lambda end: RECORDED[:-20] + end))
def test_any_bytes_give_an_event_or_a_value_error(payload: bytes) -> None:
    with contextlib.suppress(ValueError):
        unpacked(payload, 1)


def test_an_id_that_is_no_uuid() -> None:
    with pytest.raises(ValueError, match="its ID is no UUID"):
        unpacked(packed(replace(EVENT, id="x")), 7)


@pytest.mark.parametrize("payload", [b"", b"\x81\xa1x" + b"\x91" * 9000, b"\x91" * 9000, b"\x82\xa1n\xa1\xff\xa1v\x01"])
def test_hostile_payloads(payload: bytes) -> None:
    with pytest.raises(ValueError, match="invalid user event"):
        unpacked(payload, 1)
