"""Asks the other servers of the datacenter about the cluster."""

from __future__ import annotations

import asyncio
from typing import TypeVar

import msgspec

from pyconsul.agent.cluster.messages import NAMES, PATH, Message
from pyconsul.agent.httpapi.server.contract import HTTPRequest
from pyconsul.agent.rpc.contract import Peers, RPCError

TIMEOUT_S = 3.0
_NAME_OF = {message: name for name, message in NAMES.items()}

T = TypeVar("T")


class NoAnswer(Exception):
    """Another server has not answered, or not as expected; the text says why."""


class Colleagues:
    """The other servers, over RPC."""

    def __init__(self, peers: Peers, timeout_s: float = TIMEOUT_S) -> None:
        self._peers, self._timeout_s = peers, timeout_s

    async def ask(self, node_id: str, message: Message, answer: type[T], timeout_s: float | None = None) -> T:
        """Send a message and return the answer.  Raises NoAnswer."""
        timeout_s = timeout_s or self._timeout_s
        target = PATH + _NAME_OF[type(message)]
        request = HTTPRequest("POST", target.encode(), {}, msgspec.json.encode(message))
        try:
            async with asyncio.timeout(timeout_s):
                response = await self._peers.ask(node_id, request)
            if response.status != 200:
                raise NoAnswer(f"status {response.status}: {response.body[:200].decode(errors='replace')}")
            return msgspec.json.decode(response.body, type=answer)
        except TimeoutError:
            raise NoAnswer(f"no answer within {timeout_s:g} s") from None
        except (RPCError, msgspec.MsgspecError) as error:
            raise NoAnswer(str(error)) from error
