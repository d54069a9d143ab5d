"""What the cache of responses keeps, and how much."""

from __future__ import annotations

from pyconsul.agent.httpapi.core.cache import MAX_KEY, OVERHEAD, ResponseCache
from pyconsul.agent.httpapi.core.response import Response, Seen
from pyconsul.agent.state.watches import Watches


def seen(body: bytes) -> Seen:
    return Seen(Response(200, body), 1, ("topic",))


def test_keys_count_as_bodies_do() -> None:
    watches = Watches()
    cache = ResponseCache(watches, 100 * (OVERHEAD + 1000))
    for number in range(300):
        cache.put(b"%d" % number + b"x" * 900, seen(b"y" * 50))
    assert 95 <= len(cache) <= 100


def test_responses_to_long_targets_are_not_kept() -> None:
    cache = ResponseCache(Watches())
    for key in (b"x" * (MAX_KEY + 1), (b"x" * MAX_KEY, b"t")):
        cache.put(key, seen(b"y"))
        assert cache.get(key) is None
    cache.put((b"x" * 2000, b"t"), seen(b"y"))
    assert len(cache) == 1


def test_an_answer_that_is_too_large_replaces_nothing() -> None:
    cache = ResponseCache(Watches(), 100_000)
    cache.put(b"k", seen(b"y"))
    cache.put(b"large", seen(b"y" * 20_000))
    assert cache.get(b"large") is None
    assert cache.get(b"k") is not None
