"""Writes that fail for lack of a leader at that moment."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest

from pyconsul.agent.httpapi.core.consistency import repeated_writes as module
from pyconsul.agent.httpapi.core.consistency.repeated_writes import Begun, Unwritten, repeated
from pyconsul.agent.httpapi.server.contract import PendingResponse, Response

DONE, REFUSED = Response(200, b"true"), Unwritten(500, b"not begun")


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_S", (0.0, 0.001))


class Standing:
    """A server that leads, or does not."""

    always_current, last_contact_ms, has_state = False, 0, True

    def __init__(self, leads: bool) -> None:
        self.knows_leader = leads

    def serves(self, scope: str) -> bool:
        return self.knows_leader

    def barrier(self) -> None:
        return None


async def run(attempts: list[Callable[[], Begun]], *, leads: bool = False, seconds: float = 60.0) -> bytes:
    """Return the body of the response to a write whose attempts go as given; all have to be made."""

    def begin() -> Begun:
        return attempts.pop(0)()

    made = repeated(begin, Standing(leads), seconds, random.Random(1), lambda: Response(500, b"No cluster leader"))
    response = made if isinstance(made, Response) else await made
    assert not attempts
    return response.body


def pending(response: Response) -> Begun:
    future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
    future.set_result(response)
    return PendingResponse(future, lambda done: done.result())


async def later(response: Response) -> Response:
    return response


async def test_a_write_is_begun_again_until_there_is_a_leader() -> None:
    ways: list[Callable[[], Begun]] = [
        lambda: REFUSED,
        lambda: pending(REFUSED),
        lambda: later(REFUSED),
        lambda: later(DONE),
    ]
    assert await run(ways) == b"true"


async def test_a_refusal_of_a_server_that_leads_is_final() -> None:
    assert await run([lambda: later(REFUSED)], leads=True) == b"not begun"


async def test_a_write_that_lacked_a_leader_is_begun_again_though_there_is_one_now() -> None:
    lacking = Unwritten(500, b"No cluster leader")
    assert await run([lambda: later(lacking), lambda: later(DONE)], leads=True) == b"true"


async def test_a_write_that_may_have_been_kept_is_not_begun_again() -> None:
    assert await run([lambda: later(Response(500, b"outcome unknown"))]) == b"outcome unknown"


async def test_after_the_time_there_is_no_leader() -> None:
    assert await run([lambda: later(REFUSED)], seconds=0.0) == b"No cluster leader"


async def test_a_client_that_goes_away_ends_its_write() -> None:
    running: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
    made = repeated(lambda: running, Standing(False), 60.0, random.Random(1), lambda: DONE)
    assert isinstance(made, PendingResponse)
    made.future.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
