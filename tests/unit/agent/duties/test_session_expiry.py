"""Sessions end twice their TTL after the last renewal, while this server leads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from pyconsul.agent.duties import session_expiry
from pyconsul.agent.duties.session_expiry import SessionExpiry
from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.engine.memory import MemoryEngine
from pyconsul.agent.engine.writer import Writer
from pyconsul.agent.model.session import Session
from pyconsul.agent.state.schemas import SESSIONS
from pyconsul.agent.state.store import Store
from pyconsul.agent.state.write_txn import WriteTxn


def rows(*sessions: tuple[str, str]) -> list[tuple[str, Session]]:
    return [(SESSIONS.name, Session(name, "", "n1", 0, "release", ttl, None, None, 1, 1)) for name, ttl in sessions]


async def gone(store: Store, name: str) -> None:
    """Wait until a session has ended."""
    while store[SESSIONS].get(name) is not None:
        changed = asyncio.Event()
        store.watches.add(changed.set, ("sessions",))
        await asyncio.wait_for(changed.wait(), 20)


async def test_a_session_ends_unless_it_is_renewed() -> None:
    store = Store(rows(("short", "1ms"), ("long", "1h"), ("forever", "")))
    writer = Writer(store, MemoryEngine())
    expiry = SessionExpiry(store, writer.commit)
    await expiry.start()
    expiry.renew("long", 3600.0)
    await gone(store, "short")
    assert {session.id for session in store[SESSIONS]} == {"long", "forever"}
    await expiry.stop()


async def test_a_server_that_does_not_lead_ends_no_session() -> None:
    store = Store(rows(("a", "1ms")))
    writer = Writer(store, MemoryEngine())
    expiry = SessionExpiry(store, writer.commit)
    expiry.renew("a", 0.001)
    await expiry.start()
    await expiry.stop()
    expiry.renew("a", 0.001)
    assert not expiry._timers
    assert store[SESSIONS].get("a") is not None
    await expiry.start()
    await gone(store, "a")
    await expiry.stop()


async def test_sessions_of_a_restored_state_expire() -> None:
    store = Store(rows(("old", "1h")))
    writer = Writer(store, MemoryEngine())
    expiry = SessionExpiry(store, writer.commit)
    await expiry.start()
    await writer.replace(rows(("restored", "1ms")), 5)
    await gone(store, "restored")
    assert not expiry._timers
    await expiry.stop()


async def test_a_session_that_cannot_be_ended_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(session_expiry, "RETRY_S", 0.0)
    store = Store(rows(("a", "1ms")))
    writer = Writer(store, MemoryEngine())
    failures = [EngineError("the disk is full"), OSError("any other")]

    async def commit(operation: Callable[[WriteTxn], object]) -> object:
        if failures:
            raise failures.pop()
        return await writer.commit(operation)

    expiry = SessionExpiry(store, commit)
    await expiry.start()
    await gone(store, "a")
    await expiry.stop()
    assert caplog.text.count("cannot end an expired session, retrying") == 2


async def test_a_session_without_a_valid_ttl_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    store = Store(rows(("bad", "soon"), ("short", "1ms")))
    expiry = SessionExpiry(store, Writer(store, MemoryEngine()).commit)
    await expiry.start()
    await gone(store, "short")
    assert "session without a valid TTL lives until it is destroyed: id=bad" in caplog.text
    await expiry.stop()
