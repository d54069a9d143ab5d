"""Addresses of pages."""

from __future__ import annotations

import posixpath
from urllib.parse import unquote

import pytest

from pyconsul.agent.ui.links import Links, escaped

LINKS = Links("/ui/", "dc1")


@pytest.mark.parametrize(
    ("key", "address"),
    [
        ("a/b", "/ui/dc1/kv/a/b/edit"),
        ("/a", "/ui/dc1/kv/-/edit?key=%2Fa"),
        ("a//b", "/ui/dc1/kv/-/edit?key=a%2F%2Fb"),
        ("a/", "/ui/dc1/kv/-/edit?key=a%2F"),
        ("a\nb", "/ui/dc1/kv/-/edit?key=a%0Ab"),
        ("a%2Fb", "/ui/dc1/kv/a%252Fb/edit"),
        ("../é ?#", "/ui/dc1/kv/-/edit?key=..%2F%C3%A9%20%3F%23"),
        ("a/./", "/ui/dc1/kv/-/edit?key=a%2F.%2F"),
    ],
)
def test_the_address_of_a_key_is_one_that_browsers_leave_as_it_is(key: str, address: str) -> None:
    assert LINKS.key(key, "edit") == address


@pytest.mark.parametrize(
    ("folder", "address"),
    [
        ("", "/ui/dc1/kv/"),
        ("a/b/", "/ui/dc1/kv/a/b/"),
        ("/", "/ui/dc1/kv/-/?key=%2F"),
        ("a//", "/ui/dc1/kv/-/?key=a%2F%2F"),
        ("../", "/ui/dc1/kv/-/?key=..%2F"),
    ],
)
def test_the_address_of_a_folder(folder: str, address: str) -> None:
    assert LINKS.key(folder) == address


@pytest.mark.parametrize("name", ["a", "/a", "a//b///c/", "../x", "a/./b/..", ".env", "a/...", "%2F", "a b?#", "é/ש"])
def test_a_path_of_the_api_keeps_the_name(name: str) -> None:
    sent = escaped("/v1/kv/" + name)
    assert unquote(sent) == "/v1/kv/" + name
    assert posixpath.normpath(sent) == sent.rstrip("/")
