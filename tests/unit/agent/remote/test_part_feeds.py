"""Parts of the catalog: whatever changes, and however often a reader is lost, what it holds answers as the whole state does."""

from __future__ import annotations

import random
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from support.dns_catalog import Catalog, ask, lines

from pyconsul.agent.acl.authorizer import EVERYTHING, Authorizer, CompiledPolicies
from pyconsul.agent.acl.parse import parse_rules
from pyconsul.agent.dnsd.responder import Responder
from pyconsul.agent.dnsd.settings import Settings
from pyconsul.agent.dnsd.views import Part, QueryResult, WholeState
from pyconsul.agent.reads import part_feeds
from pyconsul.agent.reads.part_feeds import NOTHING, PartFeeds
from pyconsul.agent.reads.parts import PartChange
from pyconsul.agent.remote.dns.held_part import PartView
from pyconsul.agent.state.contract import View
from pyconsul.agent.state.schemas import NODES as NODE_ROWS
from pyconsul.agent.state.schemas import SERVICES as SERVICE_ROWS
from pyconsul.agent.state.watches import Watches

NODES = st.sampled_from(["n1", "n2", "N3"])
SERVICES = st.sampled_from(["web", "db"])
ADDRESSES = st.sampled_from(["10.0.0.1", "10.0.0.2", "web.service.consul", "n1.node.consul", "fd00::1"])
STATUSES = st.sampled_from(["passing", "warning", "critical"])
QUESTIONS = [
    ("web.service.consul", "A"),
    ("web.service.consul", "SRV"),
    ("db.service.consul", "A"),
    ("v1.web.service.consul", "A"),
    ("n1.node.consul", "ANY"),
    ("n3.node.consul", "A"),
    ("missing.service.consul", "A"),
    ("1.0.0.10.in-addr.arpa", "PTR"),
    ("2.0.0.10.in-addr.arpa", "PTR"),
    ("1" + ".0" * 27 + ".0.0.d.f.ip6.arpa", "PTR"),
]
STEPS = st.one_of(
    st.tuples(st.just("node"), NODES, ADDRESSES),
    st.tuples(st.just("service"), NODES, SERVICES, st.sampled_from(["", "10.0.0.2"]), st.booleans()),
    st.tuples(st.just("check"), NODES, STATUSES, st.sampled_from(["", "web", "db"])),
    st.tuples(st.just("remove service"), NODES, SERVICES),
    st.tuples(st.just("remove node"), NODES),
    st.tuples(st.just("read"), st.integers(0, 20)),
    st.tuples(st.just("lose"), st.integers(0, 20)),
    st.tuples(st.just("ask"), st.sampled_from(QUESTIONS)),
)


class Reader:
    """Holds one part; reads the lines of its feed when it is told to."""

    def __init__(self, feeds: PartFeeds, caller: Authorizer, part: Part, changed: Any) -> None:
        self.feeds, self.caller, self.part, self.changed = feeds, caller, part, changed
        self.view = PartView()
        self.position = NOTHING
        self.feed = feeds.open(caller, part.kind, part.name, self.news)
        self.read()

    def news(self) -> None:
        """Do nothing: the test says when this reads."""

    def read(self) -> None:
        data, self.position = self.feed.read(self.position)
        for line in data.splitlines():
            if self.view.apply(msgspec.json.decode(line, type=PartChange)):
                self.changed(self.part)

    def lose(self) -> None:
        """Lose the connection; the next read begins again."""
        self.feeds.close(self.caller, self.part.kind, self.part.name, self.news)
        self.feed = self.feeds.open(self.caller, self.part.kind, self.part.name, self.news)
        self.position = NOTHING


class Agent:
    """An agent that holds the parts it is asked for."""

    is_lasting = True

    def __init__(self, catalog: Catalog, caller: Authorizer) -> None:
        self.feeds, self.caller = PartFeeds(catalog.store, catalog.store.watches), caller
        self.watches = Watches()
        self.readers: dict[Part, Reader] = {}
        self.responder = Responder(self, self.watches, Settings(), rng=random.Random(7), clock=lambda: 1e9)

    def view(self, part: Part) -> View:
        if part not in self.readers:
            self.readers[part] = Reader(self.feeds, self.caller, part, self.changed)
        return self.readers[part].view

    def changed(self, part: Part) -> None:
        self.watches.fire(part_feeds.part_topics(part.kind, part.name))

    def service(self, name: str) -> View:
        return self.view(Part("service", name))

    def node(self, name: str) -> View:
        return self.view(Part("node", name))

    def address(self, text: str) -> View:
        return self.view(Part("address", text))

    def query(self, name: str, source: str) -> QueryResult | None:
        return None


def do(catalog: Catalog, agent: Agent, step: tuple[Any, ...]) -> None:
    match step:
        case "node", name, address:
            catalog.node(name, address)
        case "service", node, name, address, tagged:
            if catalog.store[NODE_ROWS].get(node.lower()):
                catalog.service(node, name, address=address, tags=("v1",) if tagged else ())
        case "check", node, status, service:
            key = (node.lower(), service)
            if catalog.store[NODE_ROWS].get(node.lower()) and (not service or catalog.store[SERVICE_ROWS].get(key)):
                catalog.check(node, status, service, id=f"c-{service}")
        case "remove service", node, name:
            catalog.remove_service(node, name)
        case "remove node", name:
            catalog.remove_node(name)
        case "read", number:
            reader(agent, number, "read")
        case "lose", number:
            reader(agent, number, "lose")
        case "ask", (name, rdtype):
            ask(agent.responder, name, rdtype, edns=4096)


def reader(agent: Agent, number: int, what: str) -> None:
    readers = list(agent.readers.values())
    if readers:
        getattr(readers[number % len(readers)], what)()


def callers() -> list[Authorizer]:
    rules = parse_rules('service "web" { policy = "read" } node_prefix "n" { policy = "read" }')
    return [EVERYTHING, Authorizer("reader", CompiledPolicies(rules), default_allow=False)]


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=40), st.sampled_from([0, 1]), st.sampled_from([0, 200, 1 << 20]))
def test_a_held_part_answers_as_the_whole_state(steps: list[tuple[Any, ...]], who: int, kept_bytes: int) -> None:
    part_feeds.KEPT_BYTES, before = kept_bytes, part_feeds.KEPT_BYTES
    try:
        catalog, caller = Catalog(), callers()[who]
        agent = Agent(catalog, caller)
        for step in steps:
            do(catalog, agent, step)
        for one in agent.readers.values():
            one.read()
        whole = Responder(
            WholeState(catalog.store),
            catalog.store.watches,
            Settings(),
            rng=random.Random(7),
            clock=lambda: 1e9,
            caller=lambda: caller,
        )
        for name, rdtype in QUESTIONS:
            for _ in range(3):  # the third answer comes from the cache
                held, expected = ask(agent.responder, name, rdtype, edns=4096), ask(whole, name, rdtype, edns=4096)
                assert held.rcode() == expected.rcode(), name
                for section in ("answer", "authority", "additional"):
                    assert lines(getattr(held, section)) == lines(getattr(expected, section)), name
    finally:
        part_feeds.KEPT_BYTES = before


def test_readers_of_a_part_share_the_work_and_the_last_one_ends_it() -> None:
    catalog = Catalog()
    catalog.node("n1", "10.0.0.1")
    feeds = PartFeeds(catalog.store, catalog.store.watches)
    part = Part("service", "web")
    readers = [Reader(feeds, EVERYTHING, part, lambda _: None) for _ in range(3)]
    assert len(feeds) == 1
    catalog.service("n1", "web")
    assert readers[0].feed.read(readers[0].position) == readers[1].feed.read(readers[1].position)
    for one in readers:
        feeds.close(EVERYTHING, "service", "web", one.news)
    assert len(feeds) == 0
    assert len(catalog.store.watches) == 0


def test_a_change_that_shows_nothing_new_makes_no_line() -> None:
    catalog = Catalog()
    catalog.node("n1", "10.0.0.1")
    feeds = PartFeeds(catalog.store, catalog.store.watches)
    one = Reader(feeds, EVERYTHING, Part("node", "n1"), lambda _: None)
    catalog.node("n2", "10.0.0.2")
    assert one.feed.read(one.position) == (b"", one.position)
    catalog.node("n1", "10.0.0.9")
    data, _ = one.feed.read(one.position)
    assert b"10.0.0.9" in data
    assert b"n2" not in data
