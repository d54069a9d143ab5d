"""Steps of the wall clock change neither lock delays nor the expiry of tokens, over restarts as little as can be known."""

from __future__ import annotations

import pytest
from support.rows import SAMPLES

from pyconsul.agent.engine.memory import MemoryEngine
from pyconsul.agent.engine.writer import Writer
from pyconsul.agent.model.kv import LockDelay
from pyconsul.agent.model.session import Session
from pyconsul.agent.runtime.steady_clock import SteadyClock
from pyconsul.agent.state import kv, sessions
from pyconsul.agent.state.acl import tokens as acl_tokens
from pyconsul.agent.state.catalog.nodes import ensure_node
from pyconsul.agent.state.schemas import LOCK_DELAYS
from pyconsul.agent.state.store import Store
from pyconsul.agent.state.write_txn import WriteTxn

DELAY_S = 15
STEPS = [3600.0, -3600.0, 86400.0 * 400, -86400.0 * 400, 0.0]


class Machine:
    """A wall clock that can be set, and the time that really passes."""

    def __init__(self) -> None:
        self.wall, self.elapsed = 1_700_000_000.0, 1000.0
        self.clock = SteadyClock(lambda: self.wall, lambda: self.elapsed)

    def sleep(self, seconds: float) -> None:
        self.wall += seconds
        self.elapsed += seconds


def hold(txn: WriteTxn) -> None:
    ensure_node(txn, SAMPLES["nodes"])
    for name in ("one", "two"):
        sessions.create(txn, Session(name, "", "n", DELAY_S * 10**9, "release", "", [], [], 0, 0))
    assert kv.acquire(txn, "lock", b"", 0, "one")


@pytest.mark.parametrize("step", STEPS)
async def test_a_lock_delay_is_as_long_as_it_is(step: float) -> None:
    machine = Machine()
    writer = Writer(Store(), MemoryEngine(), machine.clock)
    await writer.commit(hold)
    await writer.commit(lambda txn: sessions.destroy(txn, "one"))

    async def locks() -> bool:
        return await writer.commit(lambda txn: kv.acquire(txn, "lock", b"", 0, "two"))

    machine.wall += step
    assert not await locks()
    machine.sleep(DELAY_S - 1)
    assert not await locks()
    machine.sleep(2)
    assert await locks()


@pytest.mark.parametrize("step", STEPS)
def test_a_lock_delay_never_grows_over_a_restart(step: float) -> None:
    machine = Machine()
    row = LockDelay("k", machine.clock() + DELAY_S, DELAY_S)
    machine.sleep(5)
    machine.wall += step
    restarted = SteadyClock(lambda: machine.wall, lambda: machine.elapsed)
    (_, found), other = sessions.cap_lock_delays([(LOCK_DELAYS.name, row), ("kvs", SAMPLES["kvs"])], restarted())
    assert found.until - restarted() <= DELAY_S
    assert step != 0.0 or found.until - restarted() == pytest.approx(DELAY_S - 5)
    assert other == ("kvs", SAMPLES["kvs"])


@pytest.mark.parametrize("step", STEPS)
def test_a_token_lives_as_long_as_it_was_to(step: float) -> None:
    machine = Machine()
    expires = acl_tokens.lifetime(machine.clock(), 3600.0, None)
    token = SAMPLES["acl_tokens"].__class__(accessor_id="a", secret_id="s", expires=expires)
    machine.wall += step
    machine.sleep(3599)
    assert acl_tokens.lives(token, machine.clock())
    machine.sleep(2)
    assert not acl_tokens.lives(token, machine.clock())


def test_a_step_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine()
    machine.sleep(1000)
    machine.clock.report_step()
    assert not caplog.records
    machine.wall += 3600
    for _ in range(3):
        machine.clock.report_step()
    assert [record.message for record in caplog.records if "+3600 s" in record.message] == [
        record.message for record in caplog.records
    ]
    assert len(caplog.records) == 1


async def test_lock_delays_that_have_ended_are_dropped() -> None:
    store = Store([(LOCK_DELAYS.name, LockDelay("old", 5.0, 1.0)), (LOCK_DELAYS.name, LockDelay("new", 50.0, 45.0))])
    writer = Writer(store, MemoryEngine(), lambda: 10.0)
    assert sessions.has_expired_lock_delays(store, 10.0)
    await writer.commit(sessions.drop_expired_lock_delays)
    assert [row.key for row in store[LOCK_DELAYS]] == ["new"]
    assert not sessions.has_expired_lock_delays(store, 10.0)
