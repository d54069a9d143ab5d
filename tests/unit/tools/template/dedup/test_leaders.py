"""The leaders that an instance follows: whose session it ends, and what it logs. Consul is scripted, time is passed in."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import Any, cast

import pytest
from support.eventually import one_turn

from pyconsul.tools.consul.client import ConsulError
from pyconsul.tools.template.dedup.election import Election
from pyconsul.tools.template.dedup.heartbeat import Heartbeat, encode_heartbeat
from pyconsul.tools.template.dedup.leaders import Leaders
from pyconsul.tools.template.feed import lookups
from pyconsul.tools.template.feed.lookups import Lookup
from pyconsul.tools.template.feed.records import KeyPair

SESSION = "their-session"
KEY = f"fleet/leaders/{SESSION}"
LOOKUP = lookups.key(KEY)


class NoDelay(random.Random):
    def uniform(self, a: float, b: float) -> float:
        return 0.0


class ScriptedElection:
    """`written_at`: the index of the heartbeat in Consul; `refuses`: why a session cannot be ended."""

    def __init__(self) -> None:
        self.written_at = 7
        self.refuses: ConsulError | None = None
        self.asked = 0
        self.ended: list[str] = []

    async def is_unchanged(self, key: str, index: int) -> bool:
        assert key == KEY
        self.asked += 1
        return index == self.written_at

    async def end_session(self, session: str) -> None:
        if self.refuses is not None:
            raise self.refuses
        self.ended.append(session)


class Company:
    """Leaders with one of them, and Consul."""

    def __init__(self) -> None:
        self.election = ScriptedElection()
        self.leaders = Leaders(cast(Election, self.election), "fleet/", NoDelay())
        self.leaders.follow({SESSION}, 0.0)

    def beat(self, index: int, now: float, holder: str = SESSION) -> None:
        value = encode_heartbeat(Heartbeat("web1", 5.0), now).decode()
        pair = KeyPair(KEY, KEY, value, ModifyIndex=index, Session=holder)
        self.leaders.take({LOOKUP}, lambda lookup: pair, now)

    async def look(self, now: float) -> None:
        def is_live(lookup: Lookup) -> bool:
            return lookup == LOOKUP

        self.leaders.look(now, is_live)
        for _ in range(5):
            await one_turn()


def run(scenario: Any) -> None:
    asyncio.run(scenario)


def test_the_session_of_a_silent_leader_is_ended(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        company = Company()
        assert company.leaders.lookups == {LOOKUP}
        company.beat(7, 0.0)
        await company.look(14.9)
        assert (company.election.asked, caplog.messages) == (0, [])
        await company.look(15.0)
        assert company.election.ended == [SESSION]
        await company.look(16.0)
        company.leaders.follow(set(), 16.2)
        assert company.leaders.lookups == set()

    caplog.set_level(logging.INFO)
    run(scenario())
    assert caplog.messages == [
        "no sign of life from the leader web1 for 15s; its data stay in use until another one leads",
        f"ending the session of the silent leader web1: {SESSION}",
        "the leader web1 is gone after 16s of silence",
    ]


def test_a_leader_whose_heartbeat_is_under_way_is_spared(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        company = Company()
        company.beat(7, 0.0)
        company.election.written_at = 8
        await company.look(15.0)
        assert (company.election.asked, company.election.ended) == (1, [])
        company.beat(8, 15.5)
        await company.look(16.0)
        assert company.election.ended == []

    run(scenario())
    assert caplog.messages[1:] == ["the leader web1 is alive again after 16s of silence"]


def test_without_the_permission_consul_ends_the_session(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        company = Company()
        company.beat(7, 0.0)
        company.election.refuses = ConsulError("Permission denied", 403)
        await company.look(15.0)
        await company.look(100.0)
        assert company.election.asked == 1

    run(scenario())
    assert caplog.messages[1:] == [
        "cannot end the session of the silent leader web1: Permission denied; Consul ends it",
    ]


def test_a_heartbeat_of_another_session_is_no_sign_of_life() -> None:
    company = Company()
    company.beat(7, 0.0, holder="another")
    silence = company.leaders.get(SESSION)
    assert silence is not None
    assert silence.silence_s(100.0) is None
