"""The errors after which reads of etcd are sent again."""

from __future__ import annotations

from typing import Any

import pytest

from pyconsul.agent.engine.etcd.client import LEADER_CHANGED, Client
from pyconsul.agent.engine.etcd.errors import Rejected, Unreachable


class ScriptedClient(Client):
    """Has an outcome for each try."""

    def __init__(self, endpoints: int, *outcomes: object) -> None:
        super().__init__([f"unix:/{number}" for number in range(endpoints)])
        self.outcomes = list(outcomes)

    async def _once(self, method: Any, request: Any, timeout_s: float) -> Any:
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


async def test_a_read_is_sent_to_each_endpoint_once() -> None:
    client = ScriptedClient(3, Unreachable("a"), Unreachable("b"), "found")
    assert await client.range(None) == "found"
    client = ScriptedClient(2, Unreachable("a"), Unreachable("b"))
    with pytest.raises(Unreachable, match="b"):
        await client.range(None)


async def test_a_read_during_an_election_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyconsul.agent.engine.etcd.client.ELECTION_S", 0.0)
    changed = Unreachable(f"etcd at unix:/0: {LEADER_CHANGED}")
    assert await ScriptedClient(1, changed, changed, "found").range(None) == "found"
    with pytest.raises(Unreachable, match="lost"):
        await ScriptedClient(1, changed, Unreachable("lost")).range(None)


async def test_a_refused_read_is_not_sent_again() -> None:
    with pytest.raises(Rejected):
        await ScriptedClient(3, Rejected("no")).range(None)


async def test_a_write_is_sent_once() -> None:
    client = ScriptedClient(3, Unreachable(LEADER_CHANGED), "done")
    with pytest.raises(Unreachable):
        await client.write(None)
    assert client.outcomes == ["done"]
