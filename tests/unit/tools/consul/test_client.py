"""The connection to Consul: addresses, retries, and blocking queries against a scripted HTTP server."""

import random
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from pyconsul.tools.consul.client import Connection, ConsulClient, ConsulError, RetryPolicy

NO_WAIT = RetryPolicy(backoff=0, max_backoff=0)


def client(server: HTTPServer, retry: RetryPolicy = NO_WAIT, max_stale: float = 0, **parts: str) -> ConsulClient:
    connection = Connection(address=f"{server.host}:{server.port}", **parts)  # type: ignore[arg-type]
    return ConsulClient(connection, rng=random.Random(1), retry=retry, max_stale=max_stale)


def test_a_bad_address() -> None:
    with pytest.raises(ConsulError, match="use http://"):
        Connection(address="ftp://h").agent_address()


def test_delays_grow_to_their_maximum() -> None:
    rng = random.Random(1)
    policy = RetryPolicy(attempts=0, backoff=1, max_backoff=8)
    delays = [policy.delay(failures, rng) or 0 for failures in (1, 2, 3, 4, 5, 500)]
    assert all(low / 2 <= delay <= low for low, delay in zip([1, 2, 4, 8, 8, 8], delays, strict=True))


def test_when_to_give_up() -> None:
    rng = random.Random(1)
    assert RetryPolicy(attempts=2).delay(2, rng) is not None
    assert RetryPolicy(attempts=2).delay(3, rng) is None
    assert RetryPolicy(attempts=2).delay(3, rng, answered=True) is None
    assert RetryPolicy().delay(13, rng) is None
    assert RetryPolicy().delay(13, rng, answered=True) is not None
    assert RetryPolicy(enabled=False).delay(1, rng) is None


async def test_a_blocking_query(httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request("/v1/kv/a b/", query_string={"recurse": ""}).respond_with_json(
        [1], headers={"X-Consul-Index": "7"}
    )
    httpserver.expect_ordered_request(
        "/v1/kv/a b/", query_string={"recurse": "", "index": "7", "wait": "2000ms"}
    ).respond_with_json([2], headers={"X-Consul-Index": "3"})
    consul = client(httpserver)
    assert await consul.blocking("/v1/kv/a b/", {"recurse": ""}, 0) == ([1], 7)
    # The index may go down.
    assert await consul.blocking("/v1/kv/a b/", {"recurse": ""}, 7, wait=2) == ([2], 3)
    await consul.close()
    httpserver.check()


async def test_missing_is_none_and_the_index_at_least_1(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/kv/a").respond_with_data("", 404)
    consul = client(httpserver)
    assert await consul.blocking("/v1/kv/a", {}, 0) == (None, 1)
    await consul.close()


async def test_errors_are_ridden_out(httpserver: HTTPServer) -> None:
    for status in (500, 403):
        httpserver.expect_ordered_request("/v1/x").respond_with_data("no leader", status)
    httpserver.expect_ordered_request("/v1/x").respond_with_data("{")
    httpserver.expect_ordered_request("/v1/x").respond_with_json(5, headers={"X-Consul-Index": "9"})
    consul = client(httpserver)
    assert await consul.blocking("/v1/x", {}, 0) == (5, 9)
    await consul.close()


async def test_after_an_outage_no_query_waits_for_an_old_index(httpserver: HTTPServer) -> None:
    """A new server is far behind the index: a blocking query would wait for nothing."""
    blocked = {"index": "90", "wait": "60000ms"}
    httpserver.expect_ordered_request("/v1/x", query_string=blocked).respond_with_data("", 500)
    httpserver.expect_ordered_request("/v1/x", query_string={}).respond_with_json(
        "same", headers={"X-Consul-Index": "90"}
    )
    httpserver.expect_ordered_request("/v1/x", query_string=blocked).respond_with_data("", 500)
    httpserver.expect_ordered_request("/v1/x", query_string={}).respond_with_json(
        "new", headers={"X-Consul-Index": "2"}
    )
    consul = client(httpserver)
    assert await consul.blocking("/v1/x", {}, 90) == ("new", 2)
    await consul.close()
    httpserver.check()


async def test_an_error_in_the_end(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/x").respond_with_data("Permission denied", 403)
    consul = client(httpserver, RetryPolicy(attempts=2, backoff=0))
    with pytest.raises(ConsulError, match="403: Permission denied") as caught:
        await consul.blocking("/v1/x", {}, 0)
    assert caught.value.status == 403
    assert len(httpserver.log) == 3
    await consul.close()


async def test_a_refused_connection() -> None:
    consul = ConsulClient(Connection(address="127.0.0.1:1"), rng=random.Random(1), retry=RetryPolicy(enabled=False))
    with pytest.raises(ConsulError, match=r"127\.0\.0\.1:1"):
        await consul.blocking("/v1/x", {}, 0)
    await consul.close()


async def test_watch_yields_each_new_index(httpserver: HTTPServer) -> None:
    for index, value in ((5, "a"), (5, "a"), (6, "b"), (2, "reset"), (2, "reset")):
        httpserver.expect_ordered_request("/v1/x").respond_with_json(value, headers={"X-Consul-Index": str(index)})
    consul = client(httpserver)
    watch = consul.watch("/v1/x", {})
    assert [await anext(watch) for _ in range(3)] == ["a", "b", "reset"]
    await consul.close()


async def test_the_token_file_is_read_again(httpserver: HTTPServer, tmp_path: Path) -> None:
    seen: list[str | None] = []

    def answer(request: Request) -> Response:
        seen.append(request.headers.get("X-Consul-Token"))
        return Response("1")

    httpserver.expect_request("/v1/x").respond_with_handler(answer)
    file = tmp_path / "token"
    consul = client(httpserver, token_file=str(file))
    for token in ("one\n", "two", ""):
        file.write_text(token)
        await consul.request("/v1/x", {})
    await consul.close()
    assert seen == ["one", "two", None]
    with pytest.raises(ConsulError, match="token file"):
        Connection(token_file=str(tmp_path / "none")).read_token()


async def test_basic_authentication(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/x", headers={"Authorization": "Basic dTpwOnE="}).respond_with_json(1)
    consul = client(httpserver, auth="u:p:q")
    assert (await consul.request("/v1/x", {}))[0] == 1
    await consul.close()


async def test_an_answer_that_is_too_stale_is_asked_for_again(httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request("/v1/x", query_string={"stale": ""}).respond_with_json(
        "old", headers={"X-Consul-LastContact": "3000"}
    )
    httpserver.expect_ordered_request("/v1/x", query_string={}).respond_with_json("new")
    consul = client(httpserver, max_stale=2)
    assert (await consul.blocking("/v1/x", {}, 0))[0] == "new"
    await consul.close()


async def test_writes(httpserver: HTTPServer) -> None:
    httpserver.expect_oneshot_request(
        "/v1/kv/a b", method="PUT", query_string="cas=0", data=b"value", headers={"X-Consul-Token": "t"}
    ).respond_with_json(True)
    httpserver.expect_oneshot_request("/v1/kv/a b", method="DELETE").respond_with_json(False)
    httpserver.expect_oneshot_request("/v1/session/renew/x", method="PUT").respond_with_data("no such", 404)
    httpserver.expect_oneshot_request("/v1/session/create", method="PUT").respond_with_data("denied", 403)
    consul = client(httpserver, token="t")
    assert await consul.send("PUT", "/v1/kv/a b", {"cas": "0"}, b"value") is True
    assert await consul.send("DELETE", "/v1/kv/a b", {}) is False
    assert await consul.send("PUT", "/v1/session/renew/x", {}) is None
    with pytest.raises(ConsulError, match=r"PUT /v1/session/create: 403: denied"):
        await consul.send("PUT", "/v1/session/create", {})
    httpserver.expect_oneshot_request("/v1/agent/service/maintenance/x", method="PUT").respond_with_data("")
    assert await consul.send("PUT", "/v1/agent/service/maintenance/x", {}) is None  # an answer without a body
    await consul.close()
