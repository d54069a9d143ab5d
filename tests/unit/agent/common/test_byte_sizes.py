"""Byte sizes for people."""

from __future__ import annotations

import pytest

from pyconsul.agent.common.byte_sizes import format_byte_size


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0"), (1, "1B"), (1023, "1023B"), (1024, "1KB"), (1536, "1.5KB"), (256 << 20, "256MB"), (5 << 50, "5120TB")],
)
def test_sizes(size: int, text: str) -> None:
    assert format_byte_size(size) == text


def test_a_gap_before_the_unit() -> None:
    assert format_byte_size(256 << 10, gap=" ") == "256 KB"
