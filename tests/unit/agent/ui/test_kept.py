"""Results that pages use again: shared requests, and what is made once for each version."""

from __future__ import annotations

import asyncio

from support.eventually import one_turn

from pyconsul.agent.ui.kept import MAX_KEPT, Kept


async def test_viewers_share_a_request_that_is_under_way() -> None:
    kept, asked, answered = Kept(), [], asyncio.Event()

    async def ask() -> str:
        asked.append(1)
        await answered.wait()
        return "answer"

    viewers = [asyncio.ensure_future(kept.shared("key", 60.0, ask)) for _ in range(200)]
    await one_turn()
    viewers[0].cancel()
    answered.set()
    assert set(await asyncio.gather(*viewers[1:])) == {"answer"}
    assert await kept.shared("key", 60.0, ask) == "answer"
    assert len(asked) == 1


async def test_an_answer_is_not_used_for_ever_or_for_others() -> None:
    kept, numbers = Kept(), iter(range(10_000))

    async def ask() -> int:
        return next(numbers)

    assert await kept.shared("a", 0.0, ask) == 0
    assert await kept.shared("a", 0.0, ask) == 1
    assert await kept.shared("b", 60.0, ask) == 2
    for number in range(2 * MAX_KEPT):
        await kept.shared(number, 0.0, ask)
    assert len(kept._shared) <= MAX_KEPT + 1


def test_something_is_made_once_for_each_version_from_the_one_before() -> None:
    kept, seen = Kept(), []

    def make(before: int | None) -> int:
        seen.append(before)
        return (before or 0) + 1

    assert [kept.latest("name", version, make) for version in (1, 1, 2, 2)] == [1, 1, 2, 2]
    assert seen == [None, 1]
