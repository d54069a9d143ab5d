"""Formulas and settings, compared with the figures of PROTOCOL, sections 6.5, 7.5, 7.6 and 7.8."""

from __future__ import annotations

import pytest

from pyconsul.agent.gossip.swim.formulas import (
    expected_confirmations,
    min_suspicion_s,
    probe_interval_s,
    push_pull_interval_s,
    retransmit_limit,
    suspicion_s,
)
from pyconsul.agent.gossip.swim.settings import (
    CONSUL_DEV_LAN,
    CONSUL_LAN,
    CONSUL_WAN,
    LAN,
    LOCAL,
    WAN,
    consul_settings,
)


@pytest.mark.parametrize(("members", "seconds"), [(1, 4.0), (3, 4.0), (10, 4.0), (100, 8.0), (1000, 12.0), (30, 5.908)])
def test_the_minimum_of_a_suspicion(members: int, seconds: float) -> None:
    assert min_suspicion_s(LAN, members) == pytest.approx(seconds, abs=1e-9)


@pytest.mark.parametrize(
    ("confirmations", "seconds"),
    [(0, 24.0), (1, 24 - 20 * 0.6309), (2, 4.0), (3, 4.0)],
    ids=["none", "one: 63 % of the way", "all", "more than expected"],
)
def test_confirmations_shorten_a_suspicion(confirmations: int, seconds: float) -> None:
    assert suspicion_s(confirmations, 2, 4.0, 24.0) == pytest.approx(seconds, abs=0.002)


def test_without_expected_confirmations_the_minimum_holds() -> None:
    assert suspicion_s(0, 0, 4.0, 24.0) == 4.0


@pytest.mark.parametrize(("members", "expected"), [(2, 0), (3, 0), (4, 2), (100, 2)])
def test_small_pools_expect_no_confirmations(members: int, expected: int) -> None:
    assert expected_confirmations(LAN, members) == expected


@pytest.mark.parametrize(("members", "limit"), [(1, 4), (9, 4), (10, 8), (99, 8), (100, 12), (1000, 16)])
def test_retransmissions(members: int, limit: int) -> None:
    assert retransmit_limit(4, members) == limit


@pytest.mark.parametrize(("members", "factor"), [(1, 1), (32, 1), (33, 2), (64, 2), (65, 3), (128, 3), (1000, 6)])
def test_push_pulls_become_rarer(members: int, factor: int) -> None:
    assert push_pull_interval_s(30.0, members) == 30.0 * factor


def test_a_bad_health_score_stretches_probes() -> None:
    assert [probe_interval_s(LAN, score) for score in (0, 1, 7)] == [1.0, 2.0, 8.0]


def test_the_profiles() -> None:
    assert (LAN.probe_interval_s, LAN.probe_timeout_s, LAN.gossip_interval_s, LAN.push_pull_interval_s) == (
        1,
        0.5,
        0.2,
        30,
    )
    assert (WAN.probe_interval_s, WAN.probe_timeout_s, WAN.suspicion_mult, WAN.gossip_nodes) == (5, 3, 6, 4)
    assert (LOCAL.probe_timeout_s, LOCAL.retransmit_mult, LOCAL.indirect_checks, LOCAL.tcp_timeout_s) == (0.2, 2, 1, 1)
    assert (CONSUL_LAN.dead_node_reclaim_s, CONSUL_WAN.gossip_nodes) == (30, 3)
    assert (CONSUL_DEV_LAN.probe_interval_s, CONSUL_DEV_LAN.suspicion_mult, CONSUL_DEV_LAN.retransmit_mult) == (
        0.1,
        3,
        4,
    )


def test_the_settings_of_consul() -> None:
    changed = consul_settings(CONSUL_LAN, gossip_nodes=5, probe_timeout_s=0.25)
    assert (changed.gossip_nodes, changed.probe_timeout_s, changed.probe_interval_s) == (5, 0.25, 1.0)
    with pytest.raises(ValueError, match="probe_interval must be positive, not 0"):
        consul_settings(CONSUL_LAN, probe_interval_s=0.0)
