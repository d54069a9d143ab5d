"""Reads the last commit from an etcd that was started on a copy of a member's data."""

from __future__ import annotations

import asyncio
import logging

from aetcd import rpc

from pyconsul.agent.cluster.settings import PREFIX
from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.engine.etcd import transaction
from pyconsul.agent.engine.etcd.client import Client
from pyconsul.agent.engine.etcd.layout import Layout, pointer_key

START_S = 30.0  # that etcd gets to answer
POLL_S = 0.1

log = logging.getLogger("agent.cluster")


async def last_commit(endpoint: str) -> tuple[int, float]:
    """Return index and time (Unix seconds) of the last commit; (0, 0.0) for an empty etcd.  Raises EngineError."""
    client = Client([endpoint])
    try:
        async with asyncio.timeout(START_S):
            while True:
                try:
                    return await _read(client)
                except EngineError as error:
                    log.debug("the copy does not answer yet: %s", error)
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        raise EngineError(f"etcd cannot be started with a copy of the data within {START_S:g} s") from None
    finally:
        await client.close()


async def _read(client: Client) -> tuple[int, float]:
    response = await client.read(rpc.TxnRequest(success=[transaction.get(pointer_key(PREFIX))]))
    epoch = transaction.value_of(response, 0)[0].decode()
    response = await client.read(rpc.TxnRequest(success=[transaction.get(Layout(PREFIX, epoch, "").index)]))
    value = transaction.value_of(response, 0)[0]
    return (transaction.last_index(value), float(value.split()[2])) if value else (0, 0.0)
