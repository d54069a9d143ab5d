"""Heartbeats, and how long a leader has given none. Time is passed in."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconsul.tools.template.dedup.heartbeat import Heartbeat, decode_heartbeat, encode_heartbeat, heartbeat_key
from pyconsul.tools.template.dedup.silence import LeaderSilence

BEAT = Heartbeat("web1", 5.0)
LIMIT = BEAT.limit_s


@given(st.text(), st.floats(0.1, 28_800), st.floats(0, 1e6), st.floats(0, 4e9))
def test_round_trip(host: str, interval: float, age: float, now: float) -> None:
    text = encode_heartbeat(Heartbeat(host, interval, age), now).decode()
    read = decode_heartbeat(text)
    assert read is not None
    assert (read.host, read.interval_s) == (host, pytest.approx(interval, abs=0.001))
    assert read.data_age_s == pytest.approx(age, abs=0.1)


def test_consul_sees_each_heartbeat_as_a_change() -> None:
    assert encode_heartbeat(BEAT, 1.0) != encode_heartbeat(BEAT, 6.0)


@given(st.text() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_other_values_are_no_heartbeats(value: str) -> None:
    assert decode_heartbeat(value) is None


def test_later_versions_are_not_understood() -> None:
    assert decode_heartbeat('{"Version": 2, "Host": "a", "Interval": 5}') is None


@pytest.mark.parametrize(("told", "used"), [(-1, 0.1), (0, 0.1), (1e300, 28_800.0)])
def test_intervals_without_sense_are_limited(told: float, used: float) -> None:
    beat = decode_heartbeat(json.dumps({"Version": 1, "Host": "a", "Interval": told, "DataAge": -1}))
    assert beat == Heartbeat("a", used, 0.0)


def test_the_key_is_named_after_the_session() -> None:
    assert heartbeat_key("fleet/", "id") == "fleet/leaders/id"


def heard(now: float = 0.0, beat: Heartbeat = BEAT) -> LeaderSilence:
    leader = LeaderSilence(now)
    leader.hear(beat, 7, now)
    return leader


def test_a_leader_without_heartbeats_is_never_silent() -> None:
    leader = LeaderSilence(0.0)
    leader.confirm(1.0)
    assert (leader.deadline, leader.silence_s(1e9), leader.data_age_s(1e9)) == (None, None, None)
    assert not leader.look(1e9, live=True)


def test_a_leader_is_silent_at_the_limit_and_reported_once() -> None:
    leader = heard()
    assert leader.deadline == LIMIT
    assert not leader.look(LIMIT - 0.1, live=True)
    assert leader.look(LIMIT, live=True)
    assert leader.is_silent
    assert not leader.look(LIMIT + 1, live=True)
    assert leader.deadline is None
    assert leader.silence_s(LIMIT + 1) == LIMIT + 1


def test_signs_of_life_end_the_silence() -> None:
    leader = heard()
    leader.look(LIMIT, live=True)
    assert leader.hear(BEAT, 7, 16.0) is None, "the same heartbeat is no sign"
    assert leader.is_silent
    assert leader.hear(BEAT, 8, 20.0) == 20.0
    assert (leader.is_silent, leader.deadline, leader.silence_s(21.0)) == (False, 20.0 + LIMIT, 1.0)
    assert leader.hear(BEAT, 9, 25.0) is None
    assert leader.confirm(30.0) is None, "shared answers are a sign of life, too"
    assert leader.deadline == 30.0 + LIMIT


def test_the_limit_is_the_leaders() -> None:
    assert heard(beat=Heartbeat("web1", 60.0)).deadline == 180.0


def test_the_age_of_data_is_the_leader_s_plus_the_silence() -> None:
    leader = heard(beat=Heartbeat("web1", 5.0, 30.0))
    assert leader.data_age_s(4.0) == 34.0
    leader.hear(BEAT, 8, 5.0)
    assert leader.data_age_s(6.0) == 1.0


def test_an_outage_is_no_silence() -> None:
    leader = heard()
    assert not leader.look(LIMIT, live=False)
    assert leader.deadline == LIMIT + LIMIT / 3, "the end of the outage is looked for more often"
    assert not leader.look(leader.deadline, live=False)
    assert not leader.look(24.0, live=True)
    assert leader.deadline == 24.0 + LIMIT, "from now on the leader can be heard"
    assert leader.silence_s(24.0) == 24.0, "but the data are as old as they are"
    assert leader.look(24.0 + LIMIT, live=True)


def test_a_pause_of_this_process_is_no_silence() -> None:
    leader = heard()
    assert not leader.look(1000.0, live=True), "heartbeats may be waiting to be read"
    assert leader.deadline == 1000.0 + LIMIT
    assert leader.look(1000.0 + LIMIT, live=True)
