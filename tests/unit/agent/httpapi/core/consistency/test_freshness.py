"""The consistency that a request asks for, and what it means on a server of a cluster."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pyconsul.agent.config.config import Config
from pyconsul.agent.config.sections.http import HTTPConfig
from pyconsul.agent.httpapi.core.consistency.freshness import (
    FROM_MEMORY,
    allows_stale,
    apply_defaults,
    needs_barrier,
    restamped,
    without,
)
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import Response
from pyconsul.agent.httpapi.core.router import Read, Route

KV = Route("/v1/kv/", {"GET": Read(lambda context, request: Response(), "open")})
CATALOG = Route("/v1/catalog/nodes", {"GET": Read(lambda context, request: Response(), "open")}, consistency=True)
STATUS = Route("/v1/status/peers", {"GET": Read(lambda context, request: Response(), "open")}, stateless=True)


class Standing:
    """A server of a cluster."""

    always_current, has_state = False, True

    def __init__(self, last_contact_ms: int = 0, *, knows_leader: bool = True, has_state: bool = True) -> None:
        self.last_contact_ms, self.knows_leader, self.has_state = last_contact_ms, knows_leader, has_state

    def serves(self, scope: str) -> bool:
        return True

    def barrier(self) -> None:
        return None


def get(target: str) -> Request:
    return Request("GET", target.encode(), {})


@pytest.mark.parametrize(
    ("route", "query", "last_contact_ms", "needed"),
    [
        (KV, "", 0, True),
        (KV, "?consistent", 0, True),
        (KV, "?stale", 0, False),
        (KV, "?stale", 9000, False),
        (KV, "?max_stale=10s", 0, False),
        (KV, "?max_stale=-5s", 0, True),
        (KV, "?max_stale=0", 0, True),
        (KV, "?stale&max_stale=1ms", 9000, False),  # as recorded: keys ignore the limit
        (CATALOG, "?stale&max_stale=1ms", 9000, True),
        (CATALOG, "?stale&max_stale=10s", 9000, False),
        (CATALOG, "?max_stale=1s", 9000, True),
        (CATALOG, "?cached", 9000, False),
        (STATUS, "", 0, False),
    ],
)
def test_which_reads_need_a_current_state(route: Route, query: str, last_contact_ms: int, needed: bool) -> None:
    request = get(route.pattern + query)
    assert needs_barrier(Standing(last_contact_ms), route, request) is needed


@pytest.mark.parametrize("query", ["?stale", "?cached", "?max_stale=10s"])
def test_on_a_server_that_has_no_state_yet_stale_reads_wait_for_it(query: str) -> None:
    assert needs_barrier(Standing(has_state=False), KV, get("/v1/kv/a" + query))
    assert not needs_barrier(Standing(has_state=False), STATUS, get("/v1/status/peers" + query))


def test_a_response_from_memory_says_how_old_it_may_be() -> None:
    headers = ((b"X-Consul-Index", b"7"), (b"X-Consul-KnownLeader", b"true"), (b"X-Consul-LastContact", b"0"))
    made = restamped(Response(200, b"x", headers), Standing(1234, knows_leader=False))
    assert isinstance(made, Response)
    assert made.headers == (
        (b"X-Consul-Index", b"7"),
        (b"X-Consul-KnownLeader", b"false"),
        (b"X-Consul-LastContact", b"1234"),
    )


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/v1/catalog/nodes", "/v1/catalog/nodes?max_stale=10000000000ns"),
        ("/v1/health/service/web?passing", "/v1/health/service/web?passing&max_stale=10000000000ns"),
        ("/v1/catalog/nodes?consistent", "/v1/catalog/nodes?consistent"),
        ("/v1/catalog/nodes?leader", "/v1/catalog/nodes?leader"),
        ("/v1/catalog/nodes?max_stale=1s", "/v1/catalog/nodes?max_stale=1s"),
        ("/v1/kv/a", "/v1/kv/a"),
    ],
)
def test_discovery_max_stale_is_the_default_of_catalog_and_health(target: str, expected: str) -> None:
    request = get(target)
    apply_defaults(request, replace(Config(), discovery_max_stale=10.0))
    assert request.target.decode() == expected
    assert allows_stale(request) is ("max_stale" in expected)


def test_without_use_cache_there_is_no_cached_read() -> None:
    request = get("/v1/health/service/web?cached&passing")
    apply_defaults(request, replace(Config(), http_config=HTTPConfig(use_cache=False)))
    assert request.target == b"/v1/health/service/web?passing"
    assert "cached" not in request


@given(st.lists(st.sampled_from(["stale", "stale=1", "%73tale", "a=stale", "b", "c=1%26stale"])))
def test_parameters_are_left_out_by_their_decoded_names(parts: list[str]) -> None:
    target = "/v1/x" + ("?" + "&".join(parts) if parts else "")
    kept = without(target.encode(), ("stale",))
    assert kept.decode().partition("?")[2].split("&") == (
        [part for part in parts if part in ("a=stale", "b", "c=1%26stale")] or [""]
    )


@pytest.mark.parametrize(
    ("target", "found"),
    [
        (b"/v1/kv/a?stale", True),
        (b"/v1/kv/a?raw&stale=", True),
        (b"/v1/kv/a?cached&x", True),
        (b"/v1/kv/stale", False),
        (b"/v1/kv/a?stales", False),
        (b"/v1/kv/a?max_stale=0", False),
        (b"/v1/kv/a", False),
    ],
)
def test_only_targets_that_accept_an_older_state_are_answered_from_kept_bytes(target: bytes, found: bool) -> None:
    assert bool(FROM_MEMORY.search(target)) is found
