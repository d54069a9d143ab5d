"""Load is spread evenly: of many instances of which few fit into an answer, each is in some, and each is first in some."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import dns.message
import pytest
from support.dns_catalog import Catalog

from pyconsul.agent.dnsd import cache
from pyconsul.agent.dnsd.cache import WINDOW_ROUNDS, Windows
from pyconsul.agent.dnsd.responder import Responder
from pyconsul.agent.dnsd.settings import Settings
from pyconsul.agent.dnsd.views import QueryResult
from pyconsul.agent.dnsd.wire.packed import Rotation
from pyconsul.agent.state.catalog import services

MANY, QUESTIONS = 60, 300


def asker(responder: Responder, name: str, rdtype: str, payload: int = 0) -> Callable[[], list[str]]:
    """Asks the same question again and again; gives the data of the records."""
    query = dns.message.make_query(name, rdtype, use_edns=0 if payload else False, payload=payload)
    packet = query.to_wire()

    def ask() -> list[str]:
        wire = responder.respond(packet, True, "127.0.0.1")
        assert isinstance(wire, bytes)
        answer = dns.message.from_wire(packet[:2] + wire).answer
        return [str(item).split()[-1] for rrset in answer for item in rrset]

    return ask


def assert_even(answers: list[list[str]]) -> None:
    assert all(0 < len(one) < MANY for one in answers)
    first = Counter(one[0] for one in answers)
    assert len(first) == MANY
    assert max(first.values()) <= 3 * QUESTIONS // MANY
    assert len({item for one in answers for item in one}) == MANY


@pytest.fixture
def many(catalog: Catalog) -> Catalog:
    catalog.many(MANY)
    return catalog


@pytest.mark.parametrize(
    ("name", "rdtype", "payload", "settings"),
    [
        ("web.service.consul", "A", 0, Settings()),
        ("web.service.consul", "SRV", 0, Settings()),
        ("web.service.consul", "ANY", 0, Settings()),  # record by record
        ("web.service.consul", "SRV", 1232, Settings()),
        ("web.service.consul", "A", 4096, Settings(a_record_limit=2)),
        ("web.service.consul", "A", 0, Settings(disable_compression=True)),
        ("web.query.consul", "A", 0, Settings()),
    ],
)
def test_300_questions_meet_all_60(many: Catalog, name: str, rdtype: str, payload: int, settings: Settings) -> None:
    def execute(_: str, source: str, /) -> QueryResult:
        view = many.store
        found = services.with_checks(view, services.instances(view, "web"))
        return QueryResult("web", "dc1", found, topics=("service.web",))

    for seed in range(5):
        ask = asker(many.responder(settings, rng=random.Random(seed), execute_query=execute), name, rdtype, payload)
        ask(), ask()  # from the second on answers are cached
        assert_even([ask() for _ in range(QUESTIONS)])


def test_a_client_is_served_evenly_while_others_ask(many: Catalog) -> None:
    responder = many.responder(rng=random.Random(1))
    one, other = (asker(responder, name, "A") for name in ("web.service.consul", "WEB.service.consul"))
    answers = []
    for _ in range(QUESTIONS):
        answers.append(one())
        other()
    assert_even([*answers[2:], one(), one()])


def test_windows_cost_little_at_first_and_are_used_again() -> None:
    made: list[int] = []

    def make() -> bytes:
        made.append(len(made))
        return b"%d" % made[-1]

    windows = Windows(make, 10)
    assert len({windows.take() for _ in range(3)}) == 3
    assert len(made) <= 4
    taken = Counter(windows.take() for _ in range(7 + WINDOW_ROUNDS * 10))
    assert len(made) == 10
    assert set(taken.values()) <= {WINDOW_ROUNDS, WINDOW_ROUNDS + 1}
    windows.take()
    assert len(made) == 11


def test_services_with_too_many_instances_are_not_cached_in_part(
    many: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyconsul.agent.dnsd.responder.MAX_WINDOWS", MANY - 1)
    responder = many.responder(rng=random.Random(1))
    ask = asker(responder, "web.service.consul", "A")
    assert_even([ask() for _ in range(QUESTIONS)])
    assert not len(responder._answers[True])
    assert cache.MAX_WINDOWS >= MANY


def test_each_is_first_once_in_a_round() -> None:
    rotation, rng = Rotation(), random.Random(1)
    for _ in range(3):
        found = [rotation.next(range(7), 3, rng.random) for _ in range(7)]
        assert sorted(one[0] for one in found) == list(range(7))
        assert all(len(set(one)) == 3 for one in found)
    assert len(rotation.next(range(5), 9, rng.random)) == 5, "another number of items"
    assert rotation.next([], 3, rng.random) == []
