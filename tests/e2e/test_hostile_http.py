"""Clients that send nonsense, too much, too little, or go away: each is answered or cut off, and harms nobody else."""

from __future__ import annotations

import gzip
import json
import os
import random
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from support.agent_process import AgentProcess, running_agent
from support.eventually import eventually
from support.raw_http import PATIENCE, Raw

VALUE = b"some value"


@pytest.fixture(scope="module")
def agent() -> Iterator[AgentProcess]:
    with running_agent(limits={"http_max_conns_per_client": 0}) as agent:
        agent.put("/v1/kv/k", VALUE)
        agent.put("/v1/kv/big", b"x" * 400_000)
        yield agent
        assert "Traceback" not in agent.log()


@pytest.fixture
def raw(agent: AgentProcess) -> Iterator[Raw]:
    with Raw(agent.http_port) as connection:
        yield connection


def sockets(agent: AgentProcess) -> int:
    """Return how many sockets the agent has open."""
    assert agent.process is not None
    count = 0
    for file in Path(f"/proc/{agent.process.pid}/fd").iterdir():
        with suppress(OSError):
            count += os.readlink(file).startswith("socket:")
    return count


@pytest.mark.parametrize(
    "sent",
    [
        b"\0\0\0\0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),  # a TLS client
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET /v1/kv/k HTTP/1.1\r\nno colon here\r\n\r\n",
        b"GET /v1/kv/k HTTP/1.1\r\nHost : x\r\n\r\n",
        b"PUT /v1/kv/n HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"PUT /v1/kv/n HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"PUT /v1/kv/n HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"PUT /v1/kv/n HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"BREW /v1/kv/k HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_malformed_requests_are_refused_and_closed(raw: Raw, agent: AgentProcess, sent: bytes) -> None:
    answer = raw.send(sent).answer()
    assert answer.status in (400, 404, 505)
    assert answer.headers["connection"] == "close"
    assert raw.ended()
    assert agent.request("GET", "/v1/kv/n")[0] == 404


def test_random_bytes(agent: AgentProcess) -> None:
    rng = random.Random(3)
    good = b"PUT /v1/kv/r?flags=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nX-Consul-Token: t\r\n\r\nbody"
    for number in range(300):
        data = bytearray(good * rng.randint(1, 3))
        for _ in range(rng.randint(1, 8)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        with Raw(agent.http_port) as connection:
            with suppress(ConnectionError):
                connection.send(bytes(data) if number % 4 else rng.randbytes(rng.randrange(2000)))
                connection.socket.shutdown(socket.SHUT_WR)
            said = connection.everything()
        assert not said or said.startswith(b"HTTP/1.1 ")
        assert b"Traceback" not in said
    assert agent.get("/v1/kv/k")


def test_a_request_byte_by_byte(raw: Raw) -> None:
    for byte in b"PUT /v1/kv/slow HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n":
        raw.send(bytes([byte]))
    assert raw.answer().body == b"true"
    assert raw.ask("GET /v1/kv/slow?raw").body == b"hello"


def test_half_a_request_then_the_end(agent: AgentProcess) -> None:
    for cut in (3, 20, 40, 70):
        with Raw(agent.http_port) as connection:
            connection.send(b"PUT /v1/kv/half HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhello"[:cut])
            connection.socket.shutdown(socket.SHUT_WR)
            assert connection.ended()
    assert agent.request("GET", "/v1/kv/half")[0] == 404


def test_headers_without_end_are_refused(agent: AgentProcess) -> None:
    for part in (b"X-Filler: " + b"y" * 8000 + b"\r\n", b"y" * 8000):
        with Raw(agent.http_port) as connection:
            with suppress(ConnectionError):
                connection.send(b"GET /v1/kv/k HTTP/1.1\r\nHost: x\r\nX-First: ")
                for _ in range(400):
                    connection.send(part)
            assert connection.everything()[:12] in (b"HTTP/1.1 431", b"")


def test_large_headers_are_taken(raw: Raw) -> None:
    assert raw.ask("GET /v1/kv/k?raw", *(f"X-{number}: {'y' * 1000}" for number in range(200))).body == VALUE


def test_pipelined_requests_are_answered_in_order(raw: Raw) -> None:
    requests = []
    for number in range(100):
        body = b"%d" % number
        requests.append(
            b"PUT /v1/kv/p%d HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (number, len(body), body)
        )
        requests.append(b"GET /v1/kv/p%d?raw HTTP/1.1\r\nHost: x\r\n\r\n" % number)
    raw.send(*requests)
    for number in range(100):
        assert raw.answer().body == b"true"
        assert raw.answer().body == b"%d" % number


def test_pipelining_behind_a_blocked_query(agent: AgentProcess, raw: Raw) -> None:
    agent.put("/v1/kv/w", b"asleep")
    index = agent.get("/v1/kv/w")[0]["ModifyIndex"]
    raw.send(
        b"GET /v1/kv/w?raw&index=%d&wait=60s HTTP/1.1\r\nHost: x\r\n\r\n" % index,
        b"GET /v1/kv/p?keys HTTP/1.1\r\nHost: x\r\n\r\n" * 50,
    )
    agent.put("/v1/kv/w", b"woken")
    assert raw.answer().body == b"woken"
    for _ in range(50):
        assert raw.answer().status in (200, 404)


def test_a_client_that_does_not_read_takes_no_memory(agent: AgentProcess) -> None:
    assert agent.process is not None
    statm = Path(f"/proc/{agent.process.pid}/statm")
    before = int(statm.read_text().split()[1])
    agent.get("/v1/kv/big")  # kept as bytes from now on
    with Raw(agent.http_port) as connection:
        connection.socket.settimeout(0.5)
        with suppress(TimeoutError):
            for _ in range(100):
                connection.send(b"GET /v1/kv/big HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
        assert agent.get("/v1/kv/k")
        grown = (int(statm.read_text().split()[1]) - before) * os.sysconf("SC_PAGE_SIZE")
        assert grown < 64 << 20
        connection.socket.settimeout(PATIENCE)
        for _ in range(150):
            assert connection.answer().status == 200


def test_a_client_that_goes_away_is_forgotten(agent: AgentProcess) -> None:
    index = agent.get("/v1/kv/k")[0]["ModifyIndex"]
    request = b"GET /v1/kv/k?index=%d&wait=10m HTTP/1.1\r\nHost: x\r\n\r\n" % index
    before = sockets(agent)
    for number in range(300):
        connection = socket.create_connection(("127.0.0.1", agent.http_port))
        connection.sendall(request)
        if number % 2:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # ends with a reset
        connection.close()
    eventually(lambda: sockets(agent) <= before)
    agent.put("/v1/kv/k", VALUE)


def test_a_client_that_only_half_closes_gets_its_answer(raw: Raw) -> None:
    raw.send(b"PUT /v1/kv/nc HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi")
    raw.socket.shutdown(socket.SHUT_WR)
    assert raw.answer().body == b"true"
    assert raw.ended()


def test_expect_100_continue(raw: Raw) -> None:
    head = b"PUT /v1/kv/e HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-Continue\r\n\r\n"
    for _ in range(2):
        assert raw.send(head).answer().status == 100
        assert raw.send(b"hello").answer().body == b"true"
    assert raw.ask("GET /v1/kv/e?raw").body == b"hello"


def test_expect_waits_its_turn(agent: AgentProcess, raw: Raw) -> None:
    agent.put("/v1/kv/w", b"asleep")
    index = agent.get("/v1/kv/w")[0]["ModifyIndex"]
    raw.send(
        b"GET /v1/kv/w?raw&index=%d&wait=60s HTTP/1.1\r\nHost: x\r\n\r\n" % index,
        b"PUT /v1/kv/e HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
    )
    agent.put("/v1/kv/w", b"woken")
    assert raw.answer().body == b"woken"
    assert raw.answer().status == 100
    assert raw.send(b"hello").answer().body == b"true"


def test_http_1_0(agent: AgentProcess) -> None:
    for path in (b"/v1/kv/k?raw", b"/v1/status/leader", b"/v1/snapshot"):
        with Raw(agent.http_port) as connection:
            answer = connection.send(b"GET %b HTTP/1.0\r\n\r\n" % path).answer()
            assert (answer.status, answer.headers["connection"]) == (200, "close")
            assert answer.headers.get("transfer-encoding") is None
            assert connection.ended()
    with Raw(agent.http_port) as connection:
        for _ in range(3):
            answer = connection.send(b"GET /v1/kv/k?raw HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").answer()
            assert (answer.body, answer.headers["connection"].lower()) == (VALUE, "keep-alive")


def test_head_has_the_headers_and_no_body(raw: Raw) -> None:
    for path in ("/v1/status/leader", "/v1/catalog/nodes", "/v1/nothing"):
        for _ in range(2):
            answer = raw.ask(f"HEAD {path}")
            assert answer.status in (200, 404, 405)
    assert raw.ask("GET /v1/kv/k?raw").body == VALUE


def test_keep_alive_and_close(raw: Raw) -> None:
    for _ in range(20):
        assert raw.ask("GET /v1/kv/k?raw").body == VALUE
    answer = raw.ask("GET /v1/kv/k?raw", "Connection: close")
    assert answer.body == VALUE
    assert raw.ended()


def test_nothing_is_done_behind_a_close(agent: AgentProcess, raw: Raw) -> None:
    raw.send(
        b"GET /v1/kv/k HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"PUT /v1/kv/behind HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx",
    )
    assert raw.everything().count(b"HTTP/1.1 ") == 1
    assert agent.request("GET", "/v1/kv/behind")[0] == 404


def test_chunked_bodies_and_trailers(raw: Raw) -> None:
    head = b"PUT /v1/kv/c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert raw.send(head, b"3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nX-Consul-Token: late\r\n\r\n").answer().body == b"true"
    assert raw.ask("GET /v1/kv/c?raw").body == b"abcde"


def test_a_change_of_protocol_is_not_taken_up(raw: Raw) -> None:
    upgrade = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA")
    for _ in range(3):
        assert raw.ask("PUT /v1/kv/u", *upgrade, "Content-Length: 5", body=b"hello").body == b"true"
        assert raw.ask("GET /v1/kv/u?raw", *upgrade).body == b"hello"
    assert raw.ask("CONNECT example.com:443").status == 405


def test_gzip(raw: Raw) -> None:
    answer = raw.ask("GET /v1/kv/big", "Accept-Encoding: gzip")
    assert answer.headers["content-encoding"] == "gzip"
    assert len(answer.body) < 10_000
    assert json.loads(gzip.decompress(answer.body))[0]["Key"] == "big"
    assert "content-encoding" not in raw.ask("GET /v1/kv/big").headers


@pytest.mark.parametrize(
    ("path", "limit"),
    [("/v1/kv/n", 512 << 10), ("/v1/txn", 512 << 10), ("/v1/session/create", 1 << 20), ("/v1/query/q", 64 << 10)],
)
def test_a_body_that_is_too_large_is_refused_before_it_is_sent(raw: Raw, path: str, limit: int) -> None:
    raw.send(f"PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {limit + 1}\r\n\r\n".encode())
    answer = raw.answer()
    assert answer.status == 413
    assert answer.body.startswith(b"Request body(%d bytes) too large, max size: %d bytes." % (limit + 1, limit))
    assert raw.ended()


def test_a_large_body_of_a_request_that_is_refused_anyway_is_not_read(raw: Raw) -> None:
    raw.send(b"PUT /v1/nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
    assert raw.answer().status == 404
    assert raw.ended()


def test_a_client_that_sends_its_whole_body_first_gets_to_read_the_refusal(raw: Raw) -> None:
    raw.send(b"PUT /v1/kv/n HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (8 << 20))
    for _ in range(8):
        raw.send(bytes(1 << 20))
    assert raw.answer().status == 413
    assert raw.ended()


def test_a_chunked_body_is_refused_once_it_is_too_large(raw: Raw) -> None:
    raw.send(b"PUT /v1/kv/n HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(9):
        raw.send(b"10000\r\n", bytes(1 << 16), b"\r\n")
    assert raw.answer().status == 413
    assert raw.ended()


def test_a_refusal_waits_its_turn(raw: Raw) -> None:
    raw.send(
        b"PUT /v1/kv/turn HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx",
        b"PUT /v1/kv/n HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n",
    )
    assert raw.answer().body == b"true"
    assert raw.answer().status == 413
    assert raw.ended()


def test_a_target_that_is_too_long(agent: AgentProcess, raw: Raw) -> None:
    assert raw.ask(f"GET /v1/kv/{'k' * 16000}").status == 404
    assert raw.ask(f"GET /v1/kv/{'k' * 17000}").status == 414
    assert raw.ended()


@pytest.mark.parametrize(
    ("hosts", "text"),
    [
        ((), b"400 Bad Request: missing required Host header"),
        (("a", "b"), b"400 Bad Request: too many Host headers"),
        (("a b",), b"400 Bad Request: malformed Host header"),
        (("a/b",), b"400 Bad Request: malformed Host header"),
    ],
)
def test_hosts_that_go_refuses(raw: Raw, hosts: tuple[str, ...], text: bytes) -> None:
    raw.send("\r\n".join(("GET /v1/kv/k HTTP/1.1", *(f"Host: {host}" for host in hosts), "", "")).encode())
    answer = raw.answer()
    assert (answer.status, answer.body) == (400, text)
    assert raw.ended()


def test_an_empty_host_is_one(raw: Raw) -> None:
    assert raw.send(b"GET /v1/kv/k?raw HTTP/1.1\r\nHost:\r\n\r\n").answer().body == VALUE


def test_endless_trailers_and_chunk_extensions_are_refused(agent: AgentProcess) -> None:
    head = b"PUT /v1/kv/c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    for start in (b"1\r\na\r\n0\r\nX-Trailer: ", b"1;ext="):
        with Raw(agent.http_port) as connection:
            connection.send(head, start)
            with suppress(ConnectionError):
                for _ in range(40):
                    connection.send(b"y" * 8000)
            assert connection.everything()[:12] == b"HTTP/1.1 431"


def test_numbers_that_are_too_long(raw: Raw) -> None:
    for digits in ("9" * 25, "9" * 5000):
        assert raw.ask(f"GET /v1/kv/k?index={digits}").status == 400
        assert raw.ask(f"PUT /v1/kv/k2?cas={digits}", "Content-Length: 0").status in (400, 500)
        assert raw.ask(f"PUT /v1/kv/k2?flags={digits}", "Content-Length: 0").status in (400, 500)
    assert raw.ask("GET /v1/kv/k?raw&wait=10ms&index=" + "0" * 5000 + "1").status == 200
