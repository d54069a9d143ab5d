"""Frames survive any cut of the bytes, and nothing else passes for one."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyconsul.agent.rpc.transport import frames
from pyconsul.agent.rpc.transport.frames import (
    Cancel,
    Credit,
    Frame,
    FrameError,
    FrameReader,
    Goodbye,
    Part,
    Ping,
    Pong,
    Refusal,
    Request,
    Response,
)

NUMBERS = st.integers(1, (1 << 63) - 1)
BYTES = st.binary(max_size=300)
MORE = st.sampled_from([frames.WHOLE, frames.REST, frames.STREAM])
FRAMES: st.SearchStrategy[Frame] = st.one_of(
    st.builds(Request, NUMBERS, st.text(max_size=20), BYTES, st.dictionaries(BYTES, BYTES, max_size=5), BYTES, MORE),
    st.builds(
        Response, NUMBERS, st.integers(100, 999), st.lists(st.tuples(BYTES, BYTES), max_size=5).map(tuple), BYTES, MORE
    ),
    st.builds(Part, NUMBERS, BYTES, st.booleans()),
    st.builds(Credit, NUMBERS, st.integers(1, 1 << 30)),
    st.builds(Cancel, NUMBERS),
    st.builds(Refusal, NUMBERS, st.text(max_size=100)),
    st.sampled_from([Ping(), Pong(), Goodbye()]),
)


@given(st.lists(FRAMES, max_size=20), st.lists(st.integers(1, 200), max_size=100))
def test_frames_are_read_from_any_pieces(sent: list[Frame], cuts: list[int]) -> None:
    data = b"".join(map(frames.encode, sent))
    reader, received, at = FrameReader(), [], 0
    for size in [*cuts, len(data)]:
        received += reader.feed(data[at : at + size])
        at += size
    assert received == sent


@given(st.lists(st.binary(max_size=100), max_size=5))
def test_garbage_is_refused_or_waited_for(pieces: list[bytes]) -> None:
    reader = FrameReader()
    try:
        for piece in pieces:
            for frame in reader.feed(piece):
                assert isinstance(frame, msgspec.Struct)
    except FrameError:
        pass


@settings(max_examples=30)
@given(
    st.recursive(
        st.none() | st.integers() | st.text() | BYTES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_other_messagepack_is_refused(value: object) -> None:
    try:
        data = msgspec.msgpack.encode(value)
    except OverflowError:
        return
    with pytest.raises(FrameError, match="not a frame"):
        list(FrameReader().feed(len(data).to_bytes(4, "big") + data))


@pytest.mark.parametrize("size", [0, frames.MAX_FRAME_BYTES + 1, 0xFFFFFFFF, int.from_bytes(b"GET ", "big")])
def test_a_length_out_of_range_is_refused_before_its_bytes_arrive(size: int) -> None:
    with pytest.raises(FrameError, match=f"a frame of {size} bytes; allowed: 1 to 1048576"):
        list(FrameReader().feed(size.to_bytes(4, "big")))


@pytest.mark.parametrize(
    "frame", [Cancel(0), Cancel(-1), Cancel(1 << 63), Credit(1, 0), Response(1, 99, ()), Part(0, b"")]
)
def test_numbers_out_of_range_are_refused(frame: Frame) -> None:
    with pytest.raises(FrameError, match="not a frame"):
        list(FrameReader().feed(frames.encode(frame)))


def test_deep_nesting_is_refused() -> None:
    data = b"\x91" * 100_000 + b"\xc0"
    with pytest.raises(FrameError, match="not a frame"):
        list(FrameReader().feed(len(data).to_bytes(4, "big") + data))


def test_a_frame_that_is_too_long_is_not_sent() -> None:
    with pytest.raises(FrameError, match="allowed: 1048576"):
        frames.encode(Part(1, bytes(frames.MAX_FRAME_BYTES)))


def test_frames_before_a_fault_are_yielded() -> None:
    received = []
    with pytest.raises(FrameError):
        received.extend(FrameReader().feed(frames.encode(Ping()) + bytes(4)))
    reader = FrameReader().feed(frames.encode(Ping()) + bytes(4))
    assert next(reader) == Ping()


def test_a_frame_in_single_bytes_is_put_together_without_copying_it_each_time() -> None:
    data = frames.encode(Part(1, bytes(500_000)))
    reader, received = FrameReader(), []
    for at in range(len(data)):  # quadratic work would take minutes
        received += reader.feed(data[at : at + 1])
    assert received == [Part(1, bytes(500_000))]


def test_later_versions_may_add_elements() -> None:
    data = msgspec.msgpack.encode([7, "new"])
    assert list(FrameReader().feed(len(data).to_bytes(4, "big") + data)) == [Ping()]
