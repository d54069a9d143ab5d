"""Expired tokens are deleted, and responses cached for them dropped."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from support.eventually import one_turn

from pyconsul.agent.duties import token_expiry
from pyconsul.agent.duties.token_expiry import TokenExpiry
from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.engine.memory import MemoryEngine
from pyconsul.agent.engine.writer import Writer
from pyconsul.agent.model.acl import Token
from pyconsul.agent.state.acl import tokens as acl_tokens
from pyconsul.agent.state.acl.tables import TOKENS, TOPIC
from pyconsul.agent.state.store import Store
from pyconsul.agent.state.write_txn import WriteTxn

PATIENCE = 20.0  # seconds until something that must happen counts as not happening


def put(name: str, expires: float | None) -> Callable[[WriteTxn], Token]:
    return lambda txn: acl_tokens.put(txn, Token(accessor_id=name, secret_id=name, expires=expires))


async def until_rights_change(store: Store) -> None:
    changed = asyncio.Event()
    store.watches.add(changed.set, (TOPIC,))
    await asyncio.wait_for(changed.wait(), PATIENCE)


async def test_tokens_end_at_their_time() -> None:
    store = Store()
    writer = Writer(store, MemoryEngine(), lambda: now)
    now = 100.0
    expiry = TokenExpiry(store, writer.commit, lambda: now)
    await expiry.start()
    await writer.commit(put("stays", None))
    await writer.commit(put("later", 10_000.0))
    await writer.commit(put("soon", 100.0))
    while store[TOKENS].get("soon") is not None:
        await until_rights_change(store)
    assert {token.accessor_id for token in store[TOKENS]} == {"stays", "later"}
    await expiry.stop()
    assert len(store.watches) == 0


async def test_cached_answers_go_even_when_the_disk_fails() -> None:
    store = Store()

    async def fail(operation: Any) -> None:
        raise EngineError("the disk is full")

    writer = Writer(store, MemoryEngine())
    await writer.commit(put("soon", 1.0))
    expiry = TokenExpiry(store, fail, time.time)
    told = asyncio.create_task(until_rights_change(store))
    await one_turn()
    await expiry.start()
    await told
    await expiry.stop()


async def test_a_step_of_the_clock_ends_tokens_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_expiry, "MAX_SLEEP_S", 0.01)
    store = Store()
    now = 100.0
    writer = Writer(store, MemoryEngine(), lambda: now)
    await writer.commit(put("later", 10_000.0))
    expiry = TokenExpiry(store, writer.commit, lambda: now)
    await expiry.start()
    await one_turn()
    gone = asyncio.create_task(until_rights_change(store))
    await one_turn()
    now = 10_000.0
    await gone
    while store[TOKENS].get("later") is not None:
        await until_rights_change(store)
    await expiry.stop()
