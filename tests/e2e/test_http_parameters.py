"""What every endpoint makes of query parameters, headers and paths, over the wire and in Consul's order."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator

import pytest
from support.agent_process import AgentProcess, running_agent
from support.raw_http import Raw

NO_PATH = (500, b"No path to datacenter")


@pytest.fixture(scope="module")
def agent() -> Iterator[AgentProcess]:
    with running_agent(default_query_time="300ms", max_query_time="500ms") as agent:
        agent.put("/v1/kv/k", b"value")
        agent.put("/v1/kv/big", b"x" * 5000)
        yield agent


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/v1/kv/k?index=-1", b"Invalid index"),
        ("/v1/kv/k?index=%2B1", b"Invalid index"),
        ("/v1/kv/k?index=18446744073709551616", b"Invalid index"),
        ("/v1/kv/k?wait=5", b"Invalid wait time"),
        ("/v1/kv/k?wait=9999999999h", b"Invalid wait time"),
        ("/v1/kv/k?wait=x&index=x", b"Invalid wait time"),
        ("/v1/kv/k?stale&consistent&wait=x", b"Cannot specify ?stale with ?consistent, conflicting semantics."),
        ("/v1/kv/k?max_stale=x&index=x", b'Invalid max_stale value "x"'),
        ("/v1/kv/?dc=dc9", b"Missing key name"),
        ("/v1/health/service/?dc=dc9", b"Missing service name"),
        ("/v1/agent/services?ns=a", b'Invalid query parameter: "ns" - Namespaces are a Consul Enterprise feature'),
        ("/v1/kv/k?partition=a", b'Invalid query parameter: "partition" - Partitions are a Consul Enterprise feature'),
    ],
)
def test_bad_parameters(agent: AgentProcess, path: str, text: bytes) -> None:
    assert agent.request("GET", path)[::2] == (400, text)


def test_parameters_count_before_the_datacenter(agent: AgentProcess) -> None:
    status, _, body = agent.request("PUT", "/v1/kv/a?cas=x&dc=dc9", b"1")
    assert (status, body) == (500, b'strconv.ParseUint: parsing "x": invalid syntax')
    assert agent.request("PUT", "/v1/session/create?dc=dc9", b"{")[0] == 400
    for method, path in (
        ("GET", "/v1/kv/a?dc=dc9"),
        ("PUT", "/v1/kv/a?dc=dc9"),
        ("DELETE", "/v1/kv/a?dc=dc9&recurse"),
        ("GET", "/v1/status/leader?dc=dc9"),
        ("PUT", "/v1/event/fire/e?dc=dc9"),
        ("PUT", "/v1/session/create?dc=dc9"),
        ("GET", "/v1/health/state/any?dc=dc9"),
    ):
        assert agent.request(method, path, b"" if method == "PUT" else None)[::2] == NO_PATH, path
    assert agent.get("/v1/event/list") == []
    assert agent.get("/v1/catalog/datacenters?dc=dc9") == ["dc1"]
    assert agent.request("GET", "/v1/kv/a")[0] == 404


@pytest.mark.parametrize("directive", ["max-age=x", "MAX-AGE=", "no-cache, stale-if-error=1s"])
def test_a_bad_cache_control_is_refused_even_if_the_answer_is_kept(agent: AgentProcess, directive: str) -> None:
    assert agent.request("GET", "/v1/kv/k")[0] == 200
    headers = {"Cache-Control": directive}
    assert agent.request("GET", "/v1/kv/k", headers=headers)[::2] == (400, b"Invalid Cache-Control header.")
    assert agent.request("GET", "/v1/kv/k", headers={"Cache-Control": "max-age=0, must-revalidate"})[0] == 200


@pytest.mark.single_server("an agent that asks servers keeps such responses up to date")
def test_a_cached_read_is_a_hit_until_the_answer_changes(agent: AgentProcess) -> None:
    path = "/v1/health/service/consul?cached"

    def hit(**headers: str) -> tuple[str, str | None]:
        found = agent.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})[
            1
        ]
        return found["x-cache"], found.get("age")

    assert [hit(), hit(), hit(Cache_Control="max-age=30, stale-if-error=60")] == [
        ("MISS", None),
        ("HIT", "0"),
        ("HIT", "0"),
    ]
    assert hit(Cache_Control="max-age=0") == hit(Cache_Control="must-revalidate") == ("MISS", None)
    agent.put("/v1/catalog/register", {"Node": "n9", "Address": "10.0.0.9", "Service": {"Service": "consul"}})
    assert [hit(), hit()] == [("MISS", None), ("HIT", "0")]
    assert "x-cache" not in agent.request("GET", "/v1/health/service/consul")[1]


def test_headers_of_enterprise(agent: AgentProcess) -> None:
    assert agent.request("GET", "/v1/kv/k")[0] == 200
    for name, what in (("X-Consul-Namespace", b"Namespaces"), ("X-Consul-Partition", b"Partitions")):
        status, _, body = agent.request("GET", "/v1/kv/k", headers={name: "a"})
        assert (status, body) == (
            400,
            b'Invalid header: "%b" - %b are a Consul Enterprise feature' % (name.encode(), what),
        )


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [("gzip", True), ("br, GZIP;q=0.5", True), ("gzip;q=0", False), ("gzip; q=0.000, *", False), ("xgzip", False)],
)
def test_accept_encoding(agent: AgentProcess, accepted: str, packed: bool) -> None:
    _, headers, body = agent.request("GET", "/v1/kv/big", headers={"Accept-Encoding": accepted})
    assert ("content-encoding" in headers) is packed
    assert len(json.loads(gzip.decompress(body) if packed else body)[0]["Value"]) == 6668


@pytest.mark.parametrize("path", ["/v1/kv/a%00b", "/v1/kv/%0a", "/v1/kv/%E2%80%AE", "/v1/kv/%7F"])
def test_paths_with_unprintable_characters_are_refused(agent: AgentProcess, path: str) -> None:
    assert agent.request("PUT", path, b"1")[::2] == (400, b"")
    with running_agent(disable_http_unprintable_char_filter=True) as other:
        assert other.request("PUT", path, b"1")[0] == 200


@pytest.mark.parametrize(
    ("path", "where"),
    [("/v1/kv//a", "/v1/kv/a"), ("/v1/kv//%2Fa?x=%2F", "/v1/kv/%252Fa?x=%2F"), ("/v1/kv/../kv/a", "/v1/kv/a")],
)
def test_where_unclean_paths_lead(agent: AgentProcess, path: str, where: str) -> None:
    with Raw(agent.http_port) as raw:
        answer = raw.ask(f"GET {path}")
    assert (answer.status, answer.headers["location"]) == (307, where)


def test_an_index_of_one_never_waits_on_a_fresh_agent(agent: AgentProcess) -> None:
    for path in ("/v1/kv/none", "/v1/catalog/services", "/v1/health/service/none", "/v1/session/list"):
        assert int(agent.request("GET", f"{path}?index=1&wait=60s")[1]["x-consul-index"]) > 5


@pytest.mark.parametrize(("wait", "least"), [("", 0.3), ("&wait=1h", 0.5), ("&wait=-1s", 0.3)])
def test_the_settings_bound_a_wait(agent: AgentProcess, wait: str, least: float) -> None:
    index = agent.request("GET", "/v1/kv/k")[1]["x-consul-index"]
    started = time.monotonic()
    assert agent.request("GET", f"/v1/kv/k?index={index}{wait}")[1]["x-consul-index"] == index
    assert time.monotonic() - started >= least


def test_long_lists_are_like_short_ones(agent: AgentProcess) -> None:
    """They are read in steps, so that other requests are served meanwhile."""
    names = [f"long/{number:04}" for number in range(5000)]
    for start in range(0, len(names), 128):
        operations = [{"KV": {"Verb": "set", "Key": name, "Value": "eA=="}} for name in names[start : start + 128]]
        agent.put("/v1/txn", operations)
    for _ in range(2):
        _, headers, body = agent.request("GET", "/v1/kv/long/?recurse")
        assert [entry["Key"] for entry in json.loads(body)] == names
        newest = json.loads(body)[-1]["ModifyIndex"]
        assert int(headers["x-consul-index"]) == newest
    assert agent.get("/v1/kv/long/?keys") == names
    assert agent.get("/v1/kv/?keys&separator=/") == ["big", "k", "long/"]
    assert agent.get("/v1/kv/long/?recurse&pretty") == json.loads(body)
    packed = agent.request("GET", "/v1/kv/long/?recurse", headers={"Accept-Encoding": "gzip"})[2]
    assert gzip.decompress(packed) == body
    agent.request("DELETE", "/v1/kv/long/0000")
    assert len(agent.get("/v1/kv/long/?recurse")) == len(names) - 1
    assert agent.request("DELETE", "/v1/kv/long/?recurse")[2] == b"true"
    assert agent.request("GET", "/v1/kv/long/?recurse")[0] == 404
