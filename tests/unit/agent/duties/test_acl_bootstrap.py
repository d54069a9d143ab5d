"""The built-in policies exist from the start, and come back when a restored snapshot lacks them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pyconsul.agent.duties import acl_bootstrap
from pyconsul.agent.duties.acl_bootstrap import ACLBootstrap
from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.engine.memory import MemoryEngine
from pyconsul.agent.engine.writer import Writer
from pyconsul.agent.model.acl import ANONYMOUS_ID, MANAGEMENT_ID, READ_ONLY_ID
from pyconsul.agent.state.acl.tables import POLICIES, TOKENS, TOPIC
from pyconsul.agent.state.store import Store

SECRET = "5f0e6f6c-3d3a-4b8c-9c1d-2f5f2b6a7c01"


async def test_it_writes_policies_and_tokens_once() -> None:
    store = Store()
    duty = ACLBootstrap(store, Writer(store, MemoryEngine()).commit, SECRET)
    await duty.start()
    assert {policy.id for policy in store[POLICIES]} == {MANAGEMENT_ID, READ_ONLY_ID}
    assert store[TOKENS].get(ANONYMOUS_ID) is not None
    assert len(store[TOKENS].by("secret", SECRET)) == 1
    await duty.stop()
    await duty.start()
    assert len(store[TOKENS].by("secret", SECRET)) == 1, "a new leader makes no second token"
    await duty.stop()
    assert len(store.watches) == 0


async def test_a_restored_snapshot_without_policies_gets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acl_bootstrap, "DELAY_S", 0.0)
    store = Store()
    writer = Writer(store, MemoryEngine())
    duty = ACLBootstrap(store, writer.commit, "")
    await duty.start()
    await writer.replace([], 5)
    assert len(store[POLICIES]) == 0
    changed = asyncio.Event()
    store.watches.add(changed.set, (TOPIC,))
    await asyncio.wait_for(changed.wait(), 20)
    assert store[POLICIES].get(MANAGEMENT_ID) is not None
    await duty.stop()


async def test_a_full_disk_does_not_stop_the_start(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(operation: Any) -> None:
        raise EngineError("the disk is full")

    duty = ACLBootstrap(Store(), fail, SECRET)
    await duty.start()
    assert "cannot write the built-in policies and tokens: the disk is full" in caplog.text
    assert SECRET not in caplog.text
    await duty.stop()
