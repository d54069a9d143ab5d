"""Cached answers: what drops them, and what is never kept."""

from __future__ import annotations

from pyconsul.agent.httpapi.core.cache import MAX_KEY, ResponseCache
from pyconsul.agent.httpapi.core.response import Response, Seen
from pyconsul.agent.state.watches import Watches

SEEN = Seen(Response(200, b"x"), 5, ("topic",), shared=True)


def test_an_answer_ends_with_its_callers_token() -> None:
    now = [100.0]
    cache = ResponseCache(Watches(), clock=lambda: now[0])
    cache.put((b"/a", b"token"), SEEN, expires=200.0)
    cache.put((b"/a", b"other"), SEEN)
    cache.put(b"/a", SEEN, expires=200.0)  # the agent's own token expires: nobody looks at that later
    assert cache.get(b"/a") is None
    assert cache.live((b"/a", b"token")) is not None
    now[0] = 200.0  # a step of the clock
    assert cache.live((b"/a", b"token")) is None
    assert cache.live((b"/a", b"other")) is not None


def test_a_change_drops_it() -> None:
    watches = Watches()
    cache = ResponseCache(watches)
    cache.put(b"/a", SEEN)
    watches.fire(("topic",))
    assert (cache.get(b"/a"), len(cache), len(watches)) == (None, 0, 0)


def test_responses_to_long_targets_are_not_kept() -> None:
    cache = ResponseCache(Watches())
    cache.put(b"/" + b"x" * MAX_KEY, SEEN)
    cache.put(b"/unchanging", Seen(Response(200, b"x")))
    assert len(cache) == 0
