"""Questions of strangers cannot fill the memory: what is cached is counted with its keys, and long keys are not remembered."""

from __future__ import annotations

import gc
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.dns_catalog import Catalog

from pyconsul.agent.dnsd.responder import LARGEST_KEY, MAX_CACHE_BYTES, MAX_ONCE, Later, Responder
from pyconsul.agent.dnsd.wire.layout import AAAA, ANY, HEADER, NS, PTR, RD, SOA, SRV, TXT, A

KINDS = (A, AAAA, SRV, TXT, ANY, SOA, NS, PTR, 65)
ENDS = ("service.consul", "node.consul", "query.consul", "addr.consul", "consul", "service.dc1.consul", "in-addr.arpa",
        "web.service.consul", "example.com")  # fmt: skip
LETTERS = b"abcdefghijklmnopqrstuvwxyz0123456789-_ABC"
MAX_GROWTH_BYTES = sum(MAX_CACHE_BYTES.values()) + MAX_ONCE * (LARGEST_KEY + 120) + (16 << 20)


def questions(count: int, rng: random.Random) -> Iterator[bytes]:
    """Questions that a stranger could think of: each for another name, of every length, many of them twice."""
    for _ in range(count):
        labels = [bytes(rng.choices(LETTERS, k=rng.randint(1, 63))) for _ in range(rng.randint(1, 3))]
        labels += [part.encode() for part in rng.choice(ENDS).split(".")]
        name = b"".join(bytes((len(label),)) + label for label in labels)[:253] + b"\0"
        edns = b""
        if rng.random() < 0.5:
            padding = bytes(rng.choice((0, 10, 1000)))
            options = b"\0\x0c" + len(padding).to_bytes(2) + padding
            edns = b"\0\0\x29\x10\0\0\0\0\0" + len(options).to_bytes(2) + options
        head = HEADER.pack(rng.randrange(65536), RD, 1, 0, 0, bool(edns))
        packet = head + name + rng.choice(KINDS).to_bytes(2) + b"\0\1" + edns
        yield packet
        if rng.random() < 0.7:
            yield packet


def resident_bytes() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) << 12


def flood(responder: Responder, count: int, rng: random.Random) -> int:
    """Ask so many questions over UDP and TCP; the number of answers."""
    answers = 0
    for packet in questions(count, rng):
        found = responder.respond(packet, rng.random() < 0.7, f"10.{rng.randrange(256)}.0.{rng.randrange(256)}")
        assert not isinstance(found, Later)
        answers += found is not None
    return answers


@pytest.mark.parametrize("count", [15_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_a_million_questions_leave_little_behind(catalog: Catalog, count: int) -> None:
    catalog.many(60)
    responder, rng = catalog.responder(), random.Random(1)
    flood(responder, 500, rng)
    before = resident_bytes()
    assert flood(responder, count, rng) > count
    assert resident_bytes() - before < MAX_GROWTH_BYTES
    for udp, limit in MAX_CACHE_BYTES.items():
        kept = responder._answers[udp]
        assert len(kept.values), "it was used"
        held = sum(len(key) for key in kept.values)
        assert held < limit
        assert max(map(len, kept.values)) <= LARGEST_KEY
    assert len(responder._once) <= MAX_ONCE
    assert max(map(len, responder._once)) <= LARGEST_KEY
    responder.forget()
    assert not len(catalog.store.watches), "nothing waits for changes of what nobody asks about"
