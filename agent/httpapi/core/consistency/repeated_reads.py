"""Repeats reads that have lost the leader between their barrier and their response."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable

from pyconsul.agent.httpapi.core.consistency.barrier import Answer, Barrier
from pyconsul.agent.httpapi.core.consistency.repeated_writes import RETRY_S, Unwritten
from pyconsul.agent.httpapi.server.contract import Response


async def repeated_read(
    made: Awaitable[Response], barrier: Barrier, answer: Answer, until: float, rng: random.Random
) -> Response:
    """Return a response that is being made; when the engine has failed meanwhile, that of `answer` after another barrier.

    until: loop time at which the request has waited long enough.
    """
    response = await made
    pause_s = rng.uniform(*RETRY_S)
    left_s = until - asyncio.get_running_loop().time() - pause_s
    if not isinstance(response, Unwritten) or left_s <= 0:
        return response
    await asyncio.sleep(pause_s)
    return await barrier.enter(answer, left_s)
