"""Addresses of pages."""

from __future__ import annotations

import pytest

from pyconsul.agent.ui.links import Links

LINKS = Links("/ui/", "dc1")


@pytest.mark.parametrize(
    ("key", "address"),
    [
        ("a/b", "/ui/dc1/kv/a/b/edit"),
        ("/a//b/", "/ui/dc1/kv//a//b//edit"),
        ("a%2Fb", "/ui/dc1/kv/a%252Fb/edit"),
        ("../é ?#", "/ui/dc1/kv/-/edit?key=..%2F%C3%A9%20%3F%23"),
        ("a/./", "/ui/dc1/kv/-//edit?key=a%2F.%2F"),
    ],
)
def test_the_address_of_a_key_is_one_that_browsers_leave_as_it_is(key: str, address: str) -> None:
    assert LINKS.key(key, "edit") == address
