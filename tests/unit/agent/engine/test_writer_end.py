"""The end of a writer whose engine does not respond."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

import pytest
from support.eventually import eventually_async

from pyconsul.agent.engine import writer as writing
from pyconsul.agent.engine.contract import EngineError, OutcomeUnknown
from pyconsul.agent.engine.memory import MemoryEngine
from pyconsul.agent.engine.writer import Writer
from pyconsul.agent.state import kv
from pyconsul.agent.state.changeset import Changeset
from pyconsul.agent.state.store import Store
from pyconsul.agent.state.write_txn import WriteTxn


class Mute(MemoryEngine):
    """Loses the response to each commit, and does not say whether it took effect."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    async def commit(self, changesets: Sequence[Changeset]) -> int:
        raise OutcomeUnknown("no response", 1)

    async def took_effect(self, commit_id: int) -> bool:
        self.asked += 1
        return await asyncio.get_running_loop().create_future()


def put(txn: WriteTxn, key: str) -> None:
    kv.put(txn, key, b"v", 0)


async def test_it_does_not_wait_for_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("RETRY_S", 0.0), ("RECHECK_S", 0.001), ("SETTLE_S", 0.01)):
        monkeypatch.setattr(writing, name, seconds)
    engine = Mute()
    writer = Writer(Store(), engine)
    begun = writer.commit(partial(put, key="begun"))
    await eventually_async(lambda: engine.asked > 1)
    waiting = writer.commit(partial(put, key="waiting"))
    await writer.drain()
    with pytest.raises(OutcomeUnknown):
        await begun
    with pytest.raises(EngineError, match="this server ends"):
        await waiting
