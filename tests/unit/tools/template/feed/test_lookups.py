"""What the short forms of templates ask Consul for."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconsul.tools.template.feed import lookups
from pyconsul.tools.template.feed.lookups import BadLookup


@pytest.mark.parametrize(
    ("text", "path", "query", "statuses"),
    [
        ("web", "/v1/health/service/web", {"passing": "1"}, ("passing",)),
        ("v1.web", "/v1/health/service/web", {"tag": "v1", "passing": "1"}, ("passing",)),
        ("web@dc2", "/v1/health/service/web", {"dc": "dc2", "passing": "1"}, ("passing",)),
        ("web~_agent", "/v1/health/service/web", {"near": "_agent", "passing": "1"}, ("passing",)),
        ("web|any", "/v1/health/service/web", {}, ("any",)),
        ("a=b.web@dc1~n|passing,warning", "/v1/health/service/web", {"tag": "a=b", "dc": "dc1", "near": "n"}, None),
        ("web?ns=x", "/v1/health/service/web", {"passing": "1", "ns": "x"}, ("passing",)),
    ],
)
def test_a_service(text: str, path: str, query: dict[str, str], statuses: tuple[str, ...] | None) -> None:
    lookup, wanted = lookups.service(text)
    assert (lookup.path, lookup.query) == (path, query)
    assert wanted == (statuses or ("passing", "warning"))


def test_words_and_short_form_are_the_same_lookup() -> None:
    assert lookups.service("v1.web@dc2") == lookups.service("web", tag="v1", dc="dc2")
    assert lookups.key("/a/b@dc2") == lookups.key("a/b", dc="dc2")


def test_statuses_share_a_lookup() -> None:
    assert lookups.service("web|any")[0] == lookups.service("web|critical")[0]


@pytest.mark.parametrize("text", ["", "a b", "web|healthy", "web|any,passing", "web@@dc"])
def test_a_bad_service(text: str) -> None:
    with pytest.raises(BadLookup, match=r"use|stands alone"):
        lookups.service(text)


def test_keys() -> None:
    assert lookups.key("/app/name").path == "/v1/kv/app/name"
    assert lookups.keys("app").path == "/v1/kv/app"
    assert lookups.keys("app", folder=True).path == "/v1/kv/app/"
    assert lookups.keys("app/@dc2", folder=True).query == {"recurse": "", "dc": "dc2"}
    assert lookups.keys("").path == "/v1/kv/"
    with pytest.raises(BadLookup, match=r"use path\[@datacenter\]"):
        lookups.key("a@b@c")


@given(st.text())
def test_any_text_is_a_lookup_or_a_bad_one(text: str) -> None:
    for parse in (lookups.service, lookups.services, lookups.nodes, lookups.node, lookups.key, lookups.keys):
        with contextlib.suppress(BadLookup):
            parse(text)
