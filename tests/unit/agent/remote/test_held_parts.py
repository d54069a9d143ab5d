"""DNS on an agent without a state: answered from rows that servers keep current, also while no server can be reached."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import pytest
from support.dns_catalog import Catalog, lines
from support.eventually import eventually_async, one_turn
from support.remote_servers import Access, Servers

from pyconsul.agent.acl.resolver import Resolver
from pyconsul.agent.dnsd.responder import Later, Responder
from pyconsul.agent.dnsd.settings import Settings
from pyconsul.agent.dnsd.views import Part
from pyconsul.agent.httpapi.handlers.internal import parts
from pyconsul.agent.model.query import PreparedQuery, ServiceQuery
from pyconsul.agent.remote.dns import part_streams, part_table
from pyconsul.agent.remote.dns.held_parts import HeldParts
from pyconsul.agent.state import queries
from pyconsul.agent.state.acl.tables import TOPIC
from pyconsul.agent.state.schemas import NODES
from pyconsul.agent.state.watches import Watches

WEB = ["web.service.consul. 0 A 10.0.0.1"]


class World(Catalog):
    """A server with a catalog, and a client agent that answers DNS through it."""

    def __init__(self, access: Access | None = None, **settings: Any) -> None:
        super().__init__()
        self.servers = Servers(access)
        self.store = self.servers.api.store
        self.own: dict[str, str] = {}
        self.watches = Watches()
        made = Settings(**settings)
        self.held = HeldParts(self.servers, self.watches, made, lambda name: self.own.get(name, ""), random.Random(1))
        self.held.start()
        self.responder = Responder(self.held, self.watches, made, fetch=self.held.fetch)
        self.node("n1", "10.0.0.1")
        self.service("n1", "web")

    async def ask(self, name: str = "web.service.consul", rdtype: str = "A") -> Any:
        """Return the records of an answer, or the name of its error."""
        wire = self.respond(name, rdtype)
        return await wire if isinstance(wire, asyncio.Future) else wire

    def respond(self, name: str = "web.service.consul", rdtype: str = "A") -> Any:
        """Return the answer if it is given at once, or a future of it."""
        packet = dns.message.make_query(name, rdtype).to_wire()
        found = self.responder.respond(packet, True, "127.0.0.1")
        if isinstance(found, Later):

            async def later() -> Any:
                return self.shown(packet[:2] + await found.finish())

            return asyncio.ensure_future(later())
        assert found is not None
        return self.shown(packet[:2] + found)

    def shown(self, wire: bytes) -> Any:
        answer = dns.message.from_wire(wire)
        return lines(answer.answer) if answer.rcode() == dns.rcode.NOERROR else dns.rcode.to_text(answer.rcode())

    async def until(self, expected: Any, name: str = "web.service.consul", rdtype: str = "A") -> None:
        async def answers() -> bool:
            return bool(await self.ask(name, rdtype) == expected)

        await eventually_async(answers)


Make = Callable[..., World]


@pytest.fixture
async def make(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Make]:
    """Make worlds whose server and agent never wait."""
    monkeypatch.setattr(parts, "MIN_INTERVAL_S", dict.fromkeys(parts.MIN_INTERVAL_S, 0.0))
    monkeypatch.setattr(part_streams, "MIN_BACKOFF_S", 0.001)
    monkeypatch.setattr(part_streams, "MAX_BACKOFF_S", 0.002)
    monkeypatch.setattr(part_streams, "ONCE_S", 0.001)
    made: list[World] = []

    def world(access: Access | None = None, **settings: Any) -> World:
        made.append(World(access, **settings))
        return made[-1]

    yield world
    for one in made:
        await one.held.stop()


async def test_the_first_question_asks_a_server_and_the_next_ones_do_not(make: Make) -> None:
    world = make()
    assert await world.ask() == WEB
    for _ in range(5):
        assert world.respond() == WEB
    assert world.servers.asked == ["read GET /v1/pyconsul/part/service/web?brief&stale"]
    assert world.held.status()[:2] == (1, 2)


async def test_questions_that_come_together_share_one_request(make: Make) -> None:
    world = make()
    assert await asyncio.gather(*(world.ask() for _ in range(20))) == [WEB] * 20
    assert len(world.servers.asked) == 1


async def test_changes_show_without_a_question_to_the_server(make: Make) -> None:
    world = make()
    for _ in range(3):
        await world.ask()
    world.node("n2", "10.0.0.2")
    world.service("n2", "web")
    await world.until(["web.service.consul. 0 A 10.0.0.1", "web.service.consul. 0 A 10.0.0.2"])
    world.check("n1", "critical")
    await world.until(["web.service.consul. 0 A 10.0.0.2"])
    world.remove_node("n2")
    await world.until("NXDOMAIN")
    assert len(world.servers.asked) == 1


async def test_a_name_that_does_not_exist_is_followed_if_it_is_asked_for_again(make: Make) -> None:
    world = make()
    assert await world.ask("db.service.consul") == "NXDOMAIN"
    assert world.respond("db.service.consul") == "NXDOMAIN"
    await eventually_async(lambda: len(world.servers.streams) == 1)
    world.service("n1", "db")
    await world.until(["db.service.consul. 0 A 10.0.0.1"], "db.service.consul")
    assert len(world.servers.asked) == 2


async def test_a_name_that_does_not_exist_and_is_asked_for_once_is_dropped(make: Make) -> None:
    world = make()
    assert await world.ask("db.service.consul") == "NXDOMAIN"
    await eventually_async(lambda: world.held.status().parts == 0)
    assert not world.servers.streams
    world.service("n1", "db")
    assert await world.ask("db.service.consul") == ["db.service.consul. 0 A 10.0.0.1"]


@pytest.mark.parametrize(
    ("name", "rdtype", "answer"),
    [
        ("n1.node.consul", "A", ["n1.node.consul. 0 A 10.0.0.1"]),
        ("N1.node.dc1.consul", "A", ["N1.node.dc1.consul. 0 A 10.0.0.1"]),
        ("1.0.0.10.in-addr.arpa", "PTR", ["1.0.0.10.in-addr.arpa. 0 PTR n1.node.dc1.consul."]),
        ("9.0.0.10.in-addr.arpa", "PTR", "NXDOMAIN"),
        ("nobody.node.consul", "A", "NXDOMAIN"),
        ("web.service.dc9.consul", "A", "NXDOMAIN"),
    ],
)
async def test_other_names(make: Make, name: str, rdtype: str, answer: Any) -> None:
    world = make()
    assert await world.ask(name, rdtype) == answer
    assert world.respond(name, rdtype) == answer


@pytest.mark.parametrize("name", ["..", ".", "a/b", "%41", "x?y", "ü", "a..b", "x y", "-"])
async def test_names_of_any_form_reach_the_server(make: Make, name: str) -> None:
    world = make()
    world.node(name, "10.0.0.7")
    views = await world.held.fetch(Part("node", name), world.held)
    node = views.node(name)[NODES].get(name)
    assert node is not None
    assert node.address == "10.0.0.7"


async def test_an_address_of_ipv6_is_found_in_any_spelling(make: Make) -> None:
    world = make()
    world.node("six", "FD00:0::0001")
    reverse = "1" + ".0" * 27 + ".0.0.d.f.ip6.arpa"
    assert await world.ask(reverse, "PTR") == [f"{reverse}. 0 PTR six.node.dc1.consul."]


async def test_a_name_that_leads_to_another_one_asks_for_both(make: Make) -> None:
    world = make()
    world.node("alias", "web.service.consul")
    expected = ["alias.node.consul. 0 CNAME web.service.consul.", "web.service.consul. 0 A 10.0.0.1"]
    assert await world.ask("alias.node.consul") == expected
    assert len(world.servers.asked) == 2


async def test_without_servers_answers_go_on(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    world = make()
    monkey = part_streams.QUIET_S
    part_streams.QUIET_S = 0.0
    try:
        for _ in range(3):
            await world.ask()
        with caplog.at_level(logging.INFO, "agent.dns"):
            world.servers.cut()
            await eventually_async(lambda: world.held.status().oldest_age_s > 0)
            await eventually_async(lambda: "no server keeps the rows of DNS answers current" in caplog.text)
            assert world.respond() == WEB
            assert await world.ask("db.service.consul") == "SERVFAIL"
            assert await world.ask("db.service.consul") == "SERVFAIL"
            world.service("n1", "db")
            world.node("n2", "10.0.0.2")
            world.service("n2", "web")
            world.servers.away = False
            await world.until(["web.service.consul. 0 A 10.0.0.1", "web.service.consul. 0 A 10.0.0.2"])
            await world.until(["db.service.consul. 0 A 10.0.0.1"], "db.service.consul")
            assert world.held.status().oldest_age_s == 0
            assert len(caplog.records) == 2, caplog.text
    finally:
        part_streams.QUIET_S = monkey


@pytest.mark.parametrize(
    "limits", [{"max_stale_s": 0.05}, {"use_cache": True, "cache_max_age_s": 0.05}, {"max_stale_s": 0.0}]
)
async def test_rows_are_used_up_to_their_maximum_age(make: Make, limits: dict[str, Any]) -> None:
    world = make(**limits)
    for _ in range(3):
        assert await world.ask() == WEB
    world.servers.cut()
    await world.until("SERVFAIL")
    assert await world.ask() == "SERVFAIL"
    world.servers.away = False
    await world.until(WEB)


async def test_without_allow_stale_every_question_asks_a_server(make: Make) -> None:
    world = make(allow_stale=False)
    for _ in range(3):
        assert await world.ask() == WEB
    assert world.servers.asked == ["read GET /v1/pyconsul/part/service/web?once"] * 3
    assert world.held.status() == (0, 0, 0.0)
    world.servers.away = True
    assert await world.ask() == "SERVFAIL"


async def test_with_use_cache_rows_are_held_without_allow_stale(make: Make) -> None:
    world = make(allow_stale=False, use_cache=True)
    for _ in range(3):
        assert await world.ask() == WEB
    assert world.servers.asked == ["read GET /v1/pyconsul/part/service/web?brief"]


async def test_without_servers_and_rows_a_question_fails_at_once(make: Make) -> None:
    world = make()
    world.servers.away = True
    assert await world.ask() == "SERVFAIL"
    packet = dns.message.make_query("web.service.consul", "A").to_wire()
    found = world.responder.respond(packet, True, "127.0.0.1")
    assert isinstance(found, Later)
    answer = dns.message.from_wire(packet[:2] + await found.finish())
    assert dns.flags.to_text(answer.flags) == "QR AA RD"
    assert world.held.status().parts == 0
    world.servers.away = False
    assert await world.ask() == WEB


async def test_a_prepared_query_is_executed_by_a_server(make: Make) -> None:
    world = make()
    query = PreparedQuery(id="q", name="app", service=ServiceQuery(service="web"))
    await world.servers.api.writer.commit(lambda txn: queries.set_query(txn, query, lambda _: None))
    for _ in range(2):
        assert await world.ask("app.query.consul") == ["app.query.consul. 0 A 10.0.0.1"]
    assert await world.ask("none.query.consul") == "NXDOMAIN"
    assert world.servers.asked[0] == "read GET /v1/pyconsul/dns-query/app?source=127.0.0.1&stale"
    assert len(world.servers.asked) == 3


async def test_answers_show_what_the_token_may_read(make: Make) -> None:
    access = Access()
    access.token("web", 'service "web" { policy = "read" } node_prefix "" { policy = "read" }')
    world = make(access)
    assert await world.ask() == "NXDOMAIN", "the anonymous token may read nothing"
    world.own["dns"] = "web"
    world.watches.fire((TOPIC,))
    await world.until(WEB)
    world.service("n1", "db")
    assert await world.ask("db.service.consul") == "NXDOMAIN"
    access.token("web", 'service_prefix "" { policy = "read" } node_prefix "" { policy = "read" }')
    _acl_changed(world, access.resolver)
    await world.until(["db.service.consul. 0 A 10.0.0.1"], "db.service.consul")
    access.remove("web")
    _acl_changed(world, access.resolver)
    await world.until("NXDOMAIN")


def _acl_changed(world: World, _: Resolver) -> None:
    """Publish a change of ACLs where the server's catalog is watched: the tokens have a store of their own here."""
    world.store.watches.fire((TOPIC,))


async def test_many_names_that_do_not_exist_push_out_no_other(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part_table, "MAX_NEGATIVE", 8)
    monkeypatch.setattr(part_streams, "ONCE_S", 1000.0)
    world = make()
    assert await world.ask() == WEB
    for number in range(50):
        assert await world.ask(f"x{number}.service.consul") == "NXDOMAIN"
    assert world.held.status().parts == 9
    assert len(world.servers.streams) == 1
    assert world.respond() == WEB


async def test_names_in_flight_are_bounded(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part_streams, "MAX_OPENING", 4)
    world = make()
    answers = await asyncio.gather(*(world.ask(f"x{number}.service.consul") for number in range(10)))
    assert sorted(answers) == ["NXDOMAIN"] * 4 + ["SERVFAIL"] * 6
    assert await world.ask() == WEB


async def test_the_least_recently_asked_part_goes_first(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part_table, "MAX_PARTS", 2)
    world = make()
    for name in ("a", "b", "c"):
        world.service("n1", name)
    for name in ("a", "b", "a", "c"):
        assert await world.ask(f"{name}.service.consul") == [f"{name}.service.consul. 0 A 10.0.0.1"]
    asked = len(world.servers.asked)
    await world.ask("a.service.consul")
    assert len(world.servers.asked) == asked
    await world.ask("b.service.consul")
    assert len(world.servers.asked) == asked + 1


async def test_what_is_not_asked_for_is_dropped(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part_table, "KEEP_S", 0.0)
    world = make()
    for _ in range(3):
        await world.ask()
    world.held.sweep()
    assert world.held.status().parts == 1, "it was asked for since the last sweep"
    assert world.respond() == WEB
    world.held.sweep()
    assert world.held.status().parts == 1, "answers that are kept as bytes count, too"
    world.held.sweep()
    assert world.held.status().parts == 0
    await eventually_async(lambda: not world.servers.streams)
    assert world.respond() != WEB, "kept answers are forgotten with their rows"
    await one_turn()


async def test_a_server_that_stops_ends_its_streams_in_order(make: Make) -> None:
    world = make()
    await world.ask()
    world.servers.away = True
    world.store.watches.close()
    await eventually_async(lambda: not world.servers.streams)
    assert await world.ask() == WEB
