"""The source of answers: a server of a cluster waits for a current state if its settings ask for that."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import dns.message
import dns.rcode
import pytest
from support.dns_catalog import Catalog, lines

from pyconsul.agent.dnsd.responder import Later, Responder
from pyconsul.agent.dnsd.settings import Settings
from pyconsul.agent.dnsd.views import ClusterViews, WholeState
from pyconsul.agent.engine.contract import EngineError


class Standing:
    """The freshness of a server; barriers are counted, and fail if `quorum` is lost."""

    def __init__(self) -> None:
        self.always_current, self.has_state, self.quorum = False, True, True
        self.last_contact_ms = self.barriers = 0

    def barrier(self) -> Awaitable[None] | None:
        return None if self.always_current else self._wait()

    async def _wait(self) -> None:
        self.barriers += 1
        if not self.quorum:
            raise EngineError("No cluster leader")


class Server:
    """The DNS server of one server of a cluster."""

    def __init__(self, **settings: Any) -> None:
        self.catalog, self.standing = Catalog(), Standing()
        self.catalog.node("n1", "10.0.0.1")
        self.catalog.service("n1", "web")
        made = Settings(**settings)
        views = ClusterViews(WholeState(self.catalog.store), self.standing, made)
        self.responder = Responder(views, self.catalog.store.watches, made, fetch=views.fetch)

    async def ask(self, name: str = "web.service.consul", rdtype: str = "A") -> Any:
        query = dns.message.make_query(name, rdtype)
        packet = query.to_wire()
        found = self.responder.respond(packet, True, "127.0.0.1")
        wire = await found.finish() if isinstance(found, Later) else found
        assert wire is not None
        answer = dns.message.from_wire(packet[:2] + wire)
        return lines(answer.answer) if answer.rcode() == dns.rcode.NOERROR else dns.rcode.to_text(answer.rcode())

    @property
    def kept(self) -> int:
        return len(self.responder.cached_over_udp.__self__)  # type: ignore[attr-defined]


WEB = ["web.service.consul. 0 A 10.0.0.1"]


async def test_by_default_a_server_answers_from_its_state_whatever_its_age() -> None:
    server = Server()
    server.standing.last_contact_ms = 3_600_000
    assert [await server.ask() for _ in range(3)] == [WEB] * 3
    assert server.standing.barriers == 0
    assert server.kept == 1


@pytest.mark.parametrize("name", ["web.service.consul", "n1.node.consul", "1.0.0.10.in-addr.arpa", "consul"])
async def test_without_allow_stale_every_answer_waits_for_a_current_state(name: str) -> None:
    server = Server(allow_stale=False)
    for count in (1, 2, 3):
        assert await server.ask(name, "SOA" if name == "consul" else "PTR" if "arpa" in name else "A")
        assert server.standing.barriers == count
    assert server.kept == 0
    server.standing.quorum = False
    assert await server.ask() == "SERVFAIL"


async def test_an_answer_that_may_be_too_old_waits_for_a_current_state() -> None:
    server = Server(max_stale_s=5.0)
    server.standing.last_contact_ms = 4_000
    assert await server.ask() == WEB
    assert server.standing.barriers == 0
    server.standing.last_contact_ms = 6_000
    assert await server.ask() == WEB
    assert server.standing.barriers == 1
    server.standing.quorum = False
    assert await server.ask() == "SERVFAIL"


async def test_a_server_that_has_read_no_state_yet_does_not_deny_names() -> None:
    server = Server()
    server.standing.has_state = server.standing.quorum = False
    assert await server.ask() == "SERVFAIL"


async def test_a_single_server_is_always_current() -> None:
    server = Server(allow_stale=False)
    server.standing.always_current = True
    assert [await server.ask() for _ in range(3)] == [WEB] * 3
    assert server.standing.barriers == 0
    assert server.kept == 1
