"""Addresses to join, as memberlist reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconsul.agent.gossip.join_address import JoinAddress, parse_join_address


@pytest.mark.parametrize(
    ("text", "name", "host", "port"),
    [
        ("10.0.0.3", "", "10.0.0.3", 8301),
        ("10.0.0.3:8401", "", "10.0.0.3", 8401),
        ("web1.example.org", "", "web1.example.org", 8301),
        ("web1.example.org:7946", "", "web1.example.org", 7946),
        ("::1", "", "::1", 8301),
        ("fd00::3", "", "fd00::3", 8301),
        ("[fd00::3]", "", "fd00::3", 8301),
        ("[fd00::3]:8401", "", "fd00::3", 8401),
        ("web1/10.0.0.3", "web1", "10.0.0.3", 8301),
        ("web1.dc2/[fd00::3]:8302", "web1.dc2", "fd00::3", 8302),
        ("", "", "", 8301),
    ],
)
def test_parts(text: str, name: str, host: str, port: int) -> None:
    assert parse_join_address(text, 8301) == JoinAddress(name, host, port)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("/10.0.0.3", "empty node name provided"),
        ("[fd00::3", "missing ']' in address"),
        ("[fd00::3]8301", "text after ']' is not a port"),
        ("10.0.0.3:http", "invalid port 'http'"),
        ("10.0.0.3:0", "invalid port '0'"),
        ("10.0.0.3:65536", "invalid port '65536'"),
        ("10.0.0.3:٣", "invalid port"),
    ],
)
def test_faults(text: str, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        parse_join_address(text, 8301)


@given(st.text())
def test_any_text_is_an_address_or_a_value_error(text: str) -> None:
    try:
        where = parse_join_address(text, 8301)
    except ValueError:
        return
    assert 0 < where.port < 1 << 16
