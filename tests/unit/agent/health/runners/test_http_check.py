"""HTTP checks against servers that answer with given bytes."""

from __future__ import annotations

import asyncio

import pytest

from pyconsul.agent.common.go.durations import SECOND_NS
from pyconsul.agent.health.definition import CheckDefinition
from pyconsul.agent.health.runners.exchange import Exchange
from pyconsul.agent.health.runners.http import run_http
from pyconsul.agent.health.runners.result import Result, Tail
from pyconsul.agent.health.runners.tls import TLSContexts


class Web:
    """Answers each connection with the next of `answers`, and keeps the requests."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.requests: list[bytes] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
        )
        self.requests.append(head + await reader.readexactly(length))
        writer.write(self.answers.pop(0))
        await writer.drain()


def answer(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


async def run(definition: CheckDefinition) -> Result:
    return await run_http(definition, TLSContexts())


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("200 OK", "passing"),
        ("204 No Content", "passing"),
        ("299 Fine", "passing"),
        ("301 Moved Permanently", "critical"),
        ("404 Not Found", "critical"),
        ("429 Too Many Requests", "warning"),
        ("500 Internal Server Error", "critical"),
    ],
)
async def test_statuses(serve, status: str, expected: str) -> None:
    address = await serve(Web(answer(status, b"body" if "204" not in status else b"")))
    found = await run(CheckDefinition(http=f"http://{address}/health"))
    body = "body" if "204" not in status else ""
    assert found == Result(expected, f"HTTP GET http://{address}/health: {status} Output: {body}")


async def test_the_request_of_a_check(serve) -> None:
    web = Web(answer("200 OK"))
    address = await serve(web)
    definition = CheckDefinition(
        http=f"http://me:secret@{address}/a b?c=d e",
        method="POST",
        body='{"ping": true}',
        header={"x-one": ["a", "b"], "Content-Type": ["application/json"], "Host": ["other"]},
    )
    assert (await run(definition)).status == "passing"
    head, body = web.requests[0].split(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /a%20b?c=d%20e HTTP/1.1"
    assert sorted(lines[1:]) == [
        "Accept: text/plain, text/*, */*",
        "Authorization: Basic bWU6c2VjcmV0",
        "Connection: close",
        "Content-Length: 14",
        "Content-Type: application/json",
        "Host: other",
        "User-Agent: Consul Health Check",
        "X-One: a",
        "X-One: b",
    ]
    assert body == b'{"ping": true}'


async def test_only_the_end_of_a_long_body_is_kept(serve) -> None:
    address = await serve(Web(answer("200 OK", b"0123456789")))
    found = await run(CheckDefinition(http=f"http://{address}/", output_max_size=4))
    assert found.output.endswith("Output: 6789")


async def test_redirects_are_followed(serve) -> None:
    web = Web(answer("302 Found", b"away", "Location: /b"), answer("200 OK", b"here"))
    address = await serve(web)
    found = await run(CheckDefinition(http=f"http://{address}/a", method="POST", body="x"))
    assert found == Result("passing", f"HTTP POST http://{address}/a: 200 OK Output: here")
    assert web.requests[1].startswith(b"GET /b HTTP/1.1")
    assert web.requests[1].endswith(b"\r\n\r\n")


async def test_a_307_keeps_method_and_body(serve) -> None:
    web = Web(answer("307 Temporary Redirect", b"", "Location: /b"), answer("200 OK"))
    address = await serve(web)
    await run(CheckDefinition(http=f"http://{address}/a", method="PUT", body="x"))
    assert web.requests[1].startswith(b"PUT /b HTTP/1.1")
    assert web.requests[1].endswith(b"\r\n\r\nx")


async def test_redirects_may_be_forbidden(serve) -> None:
    address = await serve(Web(answer("302 Found", b"away", "Location: /b")))
    found = await run(CheckDefinition(http=f"http://{address}/", disable_redirects=True))
    assert found == Result("critical", f"HTTP GET http://{address}/: 302 Found Output: away")


async def test_redirects_end(serve) -> None:
    address = await serve(Web(*[answer("302 Found", b"", "Location: /")] * 10))
    found = await run(CheckDefinition(http=f"http://{address}/"))
    assert found == Result("critical", f'Get "http://{address}/": stopped after 10 redirects')


async def test_secrets_stay_with_their_host(serve) -> None:
    web = Web(answer("302 Found", b"", "Location: /b"), answer("302 Found"), answer("200 OK"))
    address = await serve(web)
    web.answers[1] = answer("302 Found", b"", f"Location: http://localhost:{address.rpartition(':')[2]}/c")
    header = {"X-Api-Key": ["hunter2"], "authorization": ["hunter2"], "Accept": ["text/odd"], "Host": ["hunter2"]}
    await run(CheckDefinition(http=f"http://{address}/a", header=header))
    assert [request.count(b"hunter2") for request in web.requests] == [3, 3, 0]
    assert all(b"Accept: text/odd\r\n" in request for request in web.requests)


async def test_chunks(serve) -> None:
    data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    address = await serve(Web(data))
    assert (await run(CheckDefinition(http=f"http://{address}/"))).output.endswith("Output: abcde")


async def test_continue_comes_before_the_answer(serve) -> None:
    address = await serve(Web(b"HTTP/1.1 100 Continue\r\n\r\n" + answer("200 OK", b"x")))
    assert (await run(CheckDefinition(http=f"http://{address}/"))).output.endswith(": 200 OK Output: x")


async def test_a_head_request_has_no_body(serve) -> None:
    address = await serve(Web(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"))
    found = await run(CheckDefinition(http=f"http://{address}/", method="HEAD"))
    assert found == Result("passing", f"HTTP HEAD http://{address}/: 200 OK Output: ")


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "EOF"),
        (b"HTTP/1.1 200", "unexpected EOF"),
        (b"SSH-2.0-x\r\n", 'net/http: HTTP/1.x transport connection broken: malformed HTTP response "SSH-2.0-x"'),
    ],
)
async def test_servers_that_do_not_speak_http(serve, data: bytes, fault: str) -> None:
    address = await serve(Web(data))
    found = await run(CheckDefinition(http=f"http://{address}/"))
    assert found == Result("critical", f'Get "http://{address}/": {fault}')


async def test_a_body_that_breaks_off_changes_nothing(serve) -> None:
    address = await serve(Web(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\npart"))
    found = await run(CheckDefinition(http=f"http://{address}/"))
    assert found == Result("passing", f"HTTP GET http://{address}/: 200 OK Output: part")


async def test_timeouts(serve) -> None:
    stop = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await stop.wait()

    address = await serve(silent)
    found = await run(CheckDefinition(http=f"http://{address}/", timeout=SECOND_NS // 50))
    stop.set()
    assert found.status == "critical"
    assert found.output == (
        f'Get "http://{address}/": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
    )


async def test_a_closed_port(closed_port: str) -> None:
    found = await run(CheckDefinition(http=f"http://{closed_port}/"))
    assert found == Result(
        "critical", f'Get "http://{closed_port}/": dial tcp {closed_port}: connect: connection refused'
    )


@pytest.mark.parametrize(
    ("fields", "output"),
    [
        ({"http": "ftp://x/"}, 'Get "ftp://x/": unsupported protocol scheme "ftp"'),
        ({"http": "x"}, 'Get "x": unsupported protocol scheme ""'),
        ({"http": "http:///x"}, 'Get "http:///x": http: no Host in request URL'),
        ({"http": "http://a b/"}, 'parse "http://a b/": invalid character in URL'),
        ({"http": "http://x:y/"}, "parse \"http://x:y/\": Port could not be cast to integer value as 'y'"),
        ({"method": "GE T"}, 'net/http: invalid method "GE T"'),
        ({"header": {"A": ["b\r\nC: d"]}}, 'Get "http://127.0.0.1:1/": net/http: invalid header field value for "A"'),
        ({"header": {"A b": ["c"]}}, 'Get "http://127.0.0.1:1/": net/http: invalid header field name "A b"'),
    ],
)
async def test_requests_that_cannot_be_made(fields: dict[str, object], output: str) -> None:
    definition = CheckDefinition(**({"http": "http://127.0.0.1:1/"} | fields))  # type: ignore[arg-type]
    assert await run(definition) == Result("critical", output)


async def test_an_answer_may_come_byte_by_byte() -> None:
    tail = Tail(100)
    exchange = Exchange(b"", tail.write)
    for byte in answer("201 Created", b"made", "Location: /x"):
        exchange.data_received(bytes([byte]))
    await exchange.done
    assert (exchange.status, exchange.reason, exchange.location, tail.text()) == (201, "Created", "/x", "made")
