"""Follows one read at the servers by blocking queries, for everybody on this agent who is interested."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from pyconsul.agent.httpapi.server.contract import HTTPRequest, Response
from pyconsul.agent.rpc.contract import RPCError
from pyconsul.agent.rpc.forwarding.question import LONGEST_WAIT_S, Question, index_of

#: Sends a read to a server, with the retries of `ServerRequests`.
AskRead: TypeAlias = Callable[[HTTPRequest], Awaitable[Response]]
RETRY_S = 0.1, 1.0  # bounds of the random time between an error and the next query
RECOVERY_WAIT_S = 0.01  # of the first query after errors, which shows that a server answers again
MAX_EARLY = 3  # queries in a row that may end before their time without news: a server that stops ends them so


@dataclass(frozen=True, slots=True)
class News:
    """The result of a query.  index: of the response, 0 if it is an error or has none; then no more follows."""

    response: Response
    index: int


async def follow(
    ask: AskRead, question: Question, index: int, rng: random.Random
) -> AsyncGenerator[News | RPCError, None]:
    """Yield the responses with an index above the given one as they come, and errors while no server answers.

    After errors the first response is yielded even if it is not new.  Ends after a response that cannot be waited for.
    """
    clock, early, recovers = asyncio.get_running_loop().time, 0, False
    while True:
        began = clock()
        try:
            response = await ask(question.after(index, RECOVERY_WAIT_S if recovers else LONGEST_WAIT_S))
        except RPCError as error:
            recovers = True
            yield error
            await asyncio.sleep(rng.uniform(*RETRY_S))
            continue
        found = index_of(response)
        if found > index or (found == index and recovers):
            index, early, recovers = found, 0, False
            yield News(response, index)
            continue
        if found == index and clock() - began >= LONGEST_WAIT_S:
            continue
        early += 1
        if found != index or early == MAX_EARLY:
            yield News(response, 0)
            return
        await asyncio.sleep(rng.uniform(*RETRY_S))
