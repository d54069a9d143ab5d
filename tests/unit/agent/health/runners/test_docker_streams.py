"""What a program in a container prints, taken out of the engine's stream."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconsul.agent.health.runners.docker import Demultiplexer
from pyconsul.agent.health.runners.result import Tail

FRAMES = st.lists(st.tuples(st.sampled_from([0, 1, 2]), st.binary(max_size=300)), max_size=8)


@given(FRAMES, st.lists(st.integers(1, 20), min_size=1))
def test_frames_cut_anywhere(frames: list[tuple[int, bytes]], cuts: list[int]) -> None:
    tail = Tail(10_000)
    streams = Demultiplexer(tail)
    data = b"".join(bytes((stream, 0, 0, 0)) + len(text).to_bytes(4) + text for stream, text in frames)
    while data:
        for size in cuts:
            streams.feed(data[:size])
            data = data[size:]
    assert tail.text() == b"".join(text for _, text in frames).decode(errors="replace")
    assert tail.total == sum(len(text) for _, text in frames)


@pytest.mark.parametrize("size", [1, 3, 5, 100])
def test_unframed_output_is_kept_unchanged(size: int) -> None:
    tail = Tail(1000)
    streams = Demultiplexer(tail)
    data = b"all is well, said the engine"
    for start in range(0, len(data), size):
        streams.feed(data[start : start + size])
    assert tail.text() == data.decode()
