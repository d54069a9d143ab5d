"""LZW: Go's bytes, and nothing that expands without bound."""

from __future__ import annotations

import contextlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconsul.agent.gossip.wire.errors import DecodeError
from pyconsul.agent.gossip.wire.lzw import compress, decompress

LIMIT = 1 << 20


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        pytest.param(b"", [256, 257], id="nothing"),
        pytest.param(b"a", [256, 97, 257], id="one byte"),
        pytest.param(b"abab", [256, 97, 98, 258, 257], id="a known code"),
        pytest.param(b"aaaa", [256, 97, 258, 97, 257], id="a code that is just being defined"),
    ],
)
def test_the_codes_of_short_texts(text: bytes, codes: list[int]) -> None:
    bits = sum(code << 9 * index for index, code in enumerate(codes))
    data = bits.to_bytes((9 * len(codes) + 7) // 8, "little")
    assert decompress(data, LIMIT) == text
    assert compress(text) == data


@given(st.binary(max_size=4000) | st.text("ab", max_size=20_000).map(str.encode))
def test_round_trip(text: bytes) -> None:
    assert decompress(compress(text), LIMIT) == text


@pytest.mark.parametrize("alphabet", [2, 17, 256])
def test_round_trip_over_several_clears_of_the_table(alphabet: int) -> None:
    rng = random.Random(1)
    text = bytes(rng.randrange(alphabet) for _ in range(60_000))
    assert decompress(compress(text), LIMIT) == text


@given(st.binary(max_size=400))
def test_any_bytes_give_data_or_an_error(data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        assert len(decompress(data, 1000)) <= 1000


def test_data_that_expands_beyond_the_limit_is_refused() -> None:
    bomb = compress(bytes(100_000))
    assert len(bomb) < 1000
    with pytest.raises(DecodeError, match="more than 99999 bytes"):
        decompress(bomb, 99_999)


def test_truncated_data_is_refused() -> None:
    with pytest.raises(DecodeError, match="truncated"):
        decompress(compress(b"hello")[:-2], LIMIT)
