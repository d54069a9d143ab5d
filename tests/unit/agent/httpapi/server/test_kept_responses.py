"""A connection whose GET is answered from kept bytes, as soon as these are current."""

from __future__ import annotations

from collections.abc import Callable

from support.eventually import one_turn
from support.fake_transport import FakeTransport

from pyconsul.agent.httpapi.server.connection import Connection
from pyconsul.agent.httpapi.server.contract import BodyRule, HTTPRequest, Response, Wire
from pyconsul.agent.httpapi.server.server import HTTPServer
from pyconsul.agent.httpapi.server.wire import text_response

GET = b"GET /kept HTTP/1.1\r\nHost: x\r\nX-Consul-Token: secret\r\n\r\n"
KEPT: Wire = b"HTTP/1.1 200 OK\r\n", b"\r\nkept"
SENT = b"HTTP/1.1 200 OK\r\nDate: D\r\n\r\nkept"


class Held:
    """A request that waits."""

    def __init__(self, respond: Callable[[Wire | None], None]) -> None:
        self.respond, self.is_canceled = respond, False

    def cancel(self) -> None:
        self.is_canceled = True


class Keeps:
    """An application that keeps a response to `/kept`."""

    new_request = HTTPRequest

    def __init__(self) -> None:
        self.held: list[Held] = []
        self.begun: list[tuple[bytes, bytes]] = []

    def body_rule(self, request: HTTPRequest) -> BodyRule:
        return BodyRule(1 << 20)

    def too_large(self, request: HTTPRequest, rule: BodyRule, size: int) -> Response:
        return text_response(413, rule.refusal(size))

    def cached(self, target: bytes, token: bytes) -> Wire | None:
        return None

    def current(self, target: bytes, token: bytes, respond: Callable[[Wire | None], None]) -> Held | None:
        if target != b"/kept":
            return None
        self.held.append(Held(respond))
        return self.held[-1]

    def begin(self, request: HTTPRequest) -> Response:
        self.begun.append((request.target, request.headers.get(b"x-consul-token", b"")))
        return text_response(200, "made")

    def close(self) -> None:
        pass


def connected() -> tuple[Keeps, Connection, FakeTransport]:
    application, wire = Keeps(), FakeTransport()
    server = HTTPServer(application, ())
    server.date = b"Date: D\r\n"
    connection = server.connect()
    connection.connection_made(wire)
    return application, connection, wire


async def test_a_kept_response_is_sent_when_it_is_current_and_again_for_the_same_bytes() -> None:
    application, connection, wire = connected()
    for count in (1, 2):
        connection.data_received(GET)
        assert len(wire.sent) == (count - 1) * len(SENT)
        application.held[-1].respond(KEPT)
        assert wire.sent == SENT * count
    assert not application.begun


async def test_the_request_is_begun_when_nothing_is_kept_any_more() -> None:
    application, connection, wire = connected()
    connection.data_received(GET)
    application.held[0].respond(None)
    assert application.begun == [(b"/kept", b"secret")]
    assert wire.sent.endswith(b"made")


async def test_requests_that_are_sent_ahead_are_answered_in_order() -> None:
    application, connection, wire = connected()
    connection.data_received(GET + GET.replace(b"kept", b"other") + GET)
    assert not application.begun
    application.held[0].respond(KEPT)
    assert wire.sent.startswith(SENT)
    assert [target for target, _ in application.begun] == [b"/other", b"/kept"]


async def test_a_connection_that_is_to_be_closed_is_closed_after_the_response() -> None:
    for ends in (
        lambda connection: connection.data_received(GET.replace(b"Host", b"Connection: close\r\nHost")),
        lambda connection: (connection.data_received(GET), connection.shutdown()),
        lambda connection: (connection.data_received(GET), connection.eof_received()),
    ):
        for wire_of, body in ((KEPT, b"kept"), (None, b"made")):
            application, connection, wire = connected()
            ends(connection)
            assert not wire.closed
            application.held[0].respond(wire_of)
            await one_turn()
            assert wire.closed
            assert wire.sent.endswith(body)


async def test_a_request_ends_with_its_client() -> None:
    application, connection, wire = connected()
    connection.data_received(GET)
    connection.connection_lost(None)
    assert application.held[0].is_canceled
    wire.close()
    application.held[0].respond(KEPT)
    assert not wire.sent
