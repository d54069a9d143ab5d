"""Hypothesis strategies for gossip messages and frames."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from pyconsul.agent.gossip.wire import messages as m
from pyconsul.agent.gossip.wire import serf_messages as s
from pyconsul.agent.gossip.wire.encryption import KEY_SIZES, Keyring
from pyconsul.agent.gossip.wire.packet import Framing

U32, U64 = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
U8, U16 = st.integers(0, 255), st.integers(0, 65535)
TEXT = st.text(max_size=40)
BYTES = st.binary(max_size=300)
IP = st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16)
OPTIONAL_BYTES = st.none() | BYTES


def plain_framing() -> Framing:
    return Framing(random_bytes=bytes)


@st.composite
def framings(draw: st.DrawFn) -> Framing:
    keys = draw(
        st.lists(st.sampled_from(KEY_SIZES).flatmap(lambda size: st.binary(min_size=size, max_size=size)), max_size=2)
    )
    return Framing(
        random_bytes=bytes,
        label=draw(st.binary(max_size=255)),
        keyring=Keyring(keys) if keys else None,
        compression=draw(st.booleans()),
        encryption_version=draw(st.sampled_from([0, 1])),
    )


def packet_messages() -> st.SearchStrategy[Any]:
    return st.one_of(
        st.builds(m.Ping, U32, TEXT, st.just(b"") | IP, U16, TEXT),
        st.builds(m.IndirectPing, U32, IP, U16, TEXT, st.booleans(), st.just(b"") | IP, U16, TEXT),
        st.builds(m.Ack, U32, OPTIONAL_BYTES),
        st.builds(m.Nack, U32),
        st.builds(m.Suspect, U32, TEXT, TEXT),
        st.builds(m.Alive, U32, TEXT, IP, U16, BYTES, st.binary(min_size=6, max_size=6)),
        st.builds(m.Dead, U32, TEXT, TEXT),
        st.builds(m.UserMessage, st.binary(min_size=1, max_size=300)),
        st.builds(m.ErrorMessage, TEXT),
    )


def push_pulls() -> st.SearchStrategy[m.PushPull]:
    node = st.builds(m.PushPullNode, TEXT, IP, U16, BYTES, U32, st.integers(0, 3), st.binary(max_size=6))
    return st.builds(m.PushPull, st.booleans(), st.lists(node, max_size=6).map(tuple), BYTES)


def serf_messages() -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), serf_intents(), serf_states(), serf_queries(), serf_answers())


def texts() -> st.SearchStrategy[Any]:
    return st.none() | st.lists(TEXT, max_size=3).map(tuple)


def serf_intents() -> st.SearchStrategy[Any]:
    return st.one_of(
        st.builds(s.Leave, U64, TEXT, st.booleans()),
        st.builds(s.Join, U64, TEXT),
        st.builds(s.UserEvent, U64, TEXT, OPTIONAL_BYTES, st.booleans()),
    )


def serf_states() -> st.SearchStrategy[s.State]:
    event = st.none() | st.builds(s.Event, TEXT, OPTIONAL_BYTES)
    slot = st.none() | st.builds(s.EventSlot, U64, st.none() | st.lists(event, max_size=3).map(tuple))
    return st.builds(
        s.State,
        time=U64,
        status_times=st.dictionaries(TEXT, U64, max_size=4),
        left_members=texts(),
        event_time=U64,
        events=st.none() | st.lists(slot, max_size=4).map(tuple),
        query_time=U64,
    )


def serf_queries() -> st.SearchStrategy[s.Query]:
    return st.builds(
        s.Query,
        time=U64,
        id=U32,
        ip=IP,
        port=U16,
        source_node=TEXT,
        filters=st.none() | st.lists(BYTES, max_size=3).map(tuple),
        flags=U32,
        relay_factor=U8,
        timeout_ns=st.integers(-(2**63), 2**63 - 1),
        name=TEXT,
        payload=OPTIONAL_BYTES,
    )


def serf_answers() -> st.SearchStrategy[Any]:
    conflict = st.builds(
        s.ConflictResponse,
        name=TEXT,
        ip=IP,
        port=U16,
        tags=st.dictionaries(TEXT, TEXT, max_size=3),
        status=st.integers(0, 4),
        protocol_min=U8,
        protocol_max=U8,
        protocol_current=U8,
        delegate_min=U8,
        delegate_max=U8,
        delegate_current=U8,
    )
    return st.one_of(
        conflict,
        st.builds(s.QueryResponse, U64, U32, TEXT, U32, OPTIONAL_BYTES),
        st.builds(s.KeyRequest, OPTIONAL_BYTES),
        st.builds(s.KeyResponse, st.booleans(), TEXT, texts(), TEXT),
        st.builds(s.Relay, IP, U16, TEXT, BYTES, TEXT),
    )
