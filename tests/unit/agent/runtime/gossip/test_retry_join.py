"""The first join of an agent is tried again until it succeeds, or until it has failed too often."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pytest

from pyconsul.agent.gossip.membership import JoinFailure, JoinResult
from pyconsul.agent.runtime.gossip.retry_join import JoinExhausted, join, rejoin

REFUSED = JoinResult(0, (JoinFailure("10.0.0.1", "dial tcp 10.0.0.1:8301: connect: connection refused"),))


ITSELF = JoinResult(1, REFUSED.failures, contacted_self=1)


class Peers:
    """Agents that answer at a certain attempt only; `before`: the results until then."""

    def __init__(self, answering_at: int, before: JoinResult = REFUSED) -> None:
        self.answering_at, self.before = answering_at, before
        self.asked: list[Sequence[str]] = []
        self.pauses: list[float] = []

    async def join(self, addresses: Sequence[str]) -> JoinResult:
        self.asked.append(addresses)
        return JoinResult(2) if len(self.asked) == self.answering_at else self.before

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    async def run(self, max_retries: int = 0) -> None:
        await join(self.join, ("a.example", "10.0.0.1"), interval_s=3.0, max_retries=max_retries, pause=self.pause)


async def test_the_first_success_ends_it() -> None:
    peers = Peers(answering_at=1)
    await peers.run()
    assert (len(peers.asked), peers.pauses) == (1, [])


async def test_every_attempt_asks_for_all_addresses_again(caplog: pytest.LogCaptureFixture) -> None:
    peers = Peers(answering_at=4)
    with caplog.at_level(logging.INFO):
        await peers.run()
    assert peers.asked == [("a.example", "10.0.0.1")] * 4
    assert peers.pauses == [1.0, 2.0, 3.0]
    (failed,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert failed.getMessage() == "Join cluster failed, will retry"
    assert "connection refused" in failed.__dict__["fields"]["error"]


async def test_a_failure_that_lasts_is_in_the_log_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    peers = Peers(answering_at=42)
    await peers.run()
    assert sum(peers.pauses) == 1 + 2 + 39 * 3
    assert len([record for record in caplog.records if record.levelno == logging.WARNING]) == 2


async def test_too_many_failures_give_up() -> None:
    peers = Peers(answering_at=99)
    with pytest.raises(JoinExhausted, match="max join retry exhausted"):
        await peers.run(max_retries=2)
    assert len(peers.asked) == 3  # the first attempt does not count as a retry
    assert peers.pauses == [3.0] * 2


async def test_an_answer_of_the_agent_itself_is_neither_a_success_nor_a_failure() -> None:
    peers = Peers(answering_at=6, before=ITSELF)
    await peers.run(max_retries=2)
    assert len(peers.asked) == 6


async def test_an_agent_that_knows_only_its_own_address_has_nobody_to_join() -> None:
    peers = Peers(answering_at=99, before=JoinResult(1, contacted_self=1))
    await peers.run()
    assert len(peers.asked) == 1


async def test_without_a_server_the_addresses_are_joined_again_less_and_less_often() -> None:
    peers = Peers(answering_at=99)
    await rejoin(peers.join, ("a.example",), lambda: len(peers.asked) == 5, interval_s=5.0, pause=peers.pause)
    assert peers.asked == [("a.example",)] * 5
    assert peers.pauses == [1.0, 2.0, 4.0, 5.0, 5.0]


async def test_nothing_is_joined_while_a_server_is_known() -> None:
    peers = Peers(answering_at=99)
    await rejoin(peers.join, ("a.example",), lambda: True, interval_s=5.0, pause=peers.pause)
    await rejoin(peers.join, ("a.example",), lambda: bool(peers.pauses), interval_s=0.5, pause=peers.pause)
    assert (peers.asked, peers.pauses) == ([], [0.5])


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        ("Member 's' part of wrong datacenter 'dc1'", "-datacenter"),
        ("No installed keys could decrypt the message", "-encrypt"),
        ("Remote state is encrypted and encryption is not configured", "-encrypt"),
        ("Encryption is configured but remote state is not encrypted", "-encrypt"),
        ("Member 'a' has conflicting node ID '1' with this agent's ID", "-node-id"),
        ("dial tcp 10.0.0.1:8301: connect: connection refused", ""),
    ],
)
async def test_a_failure_says_what_to_do(reason: str, hint: str, caplog: pytest.LogCaptureFixture) -> None:
    peers = Peers(answering_at=2, before=JoinResult(0, (JoinFailure("10.0.0.1:8301", reason),)))
    await peers.run()
    fields = caplog.records[0].__dict__["fields"]
    assert reason in fields["error"]
    assert hint in fields.get("hint", "")
    assert ("hint" in fields) == bool(hint)
