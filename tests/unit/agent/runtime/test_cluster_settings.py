"""Settings of an agent as the parts of a cluster take them."""

from __future__ import annotations

import pytest

from pyconsul.agent.config.load import ConfigError, load
from pyconsul.agent.httpapi.handlers.autopilot import initial_settings
from pyconsul.agent.model.autopilot import AutopilotSettings
from pyconsul.agent.rpc.settings import RPCSettings
from pyconsul.agent.runtime.cluster_settings import member_settings, rpc_settings


@pytest.mark.parametrize(("multiplier", "heartbeat_ms", "election_ms"), [(1, 50, 500), (5, 100, 1000), (10, 200, 2000)])
def test_the_multiplier_scales_the_timers_of_etcd(multiplier: int, heartbeat_ms: int, election_ms: int) -> None:
    settings = member_settings(load(["-dev", f"-hcl=performance {{ raft_multiplier = {multiplier} }}"]))
    assert (settings.heartbeat_interval_ms, settings.election_timeout_ms) == (heartbeat_ms, election_ms)


@pytest.mark.parametrize("multiplier", [0, 11])
def test_the_range_of_the_multiplier_is_consuls(multiplier: int) -> None:
    with pytest.raises(ConfigError, match=r"raft_multiplier: .* allowed: 1 to 10"):
        load(["-dev", f"-hcl=performance {{ raft_multiplier = {multiplier} }}"])


def test_the_first_settings_of_autopilot() -> None:
    assert initial_settings(load(["-dev"])) == AutopilotSettings()
    text = 'autopilot { cleanup_dead_servers = false last_contact_threshold = "300ms" min_quorum = 3 }'
    made = initial_settings(load(["-dev", f"-hcl={text}"]))
    assert made == AutopilotSettings(cleanup_dead_servers=False, last_contact_threshold=300_000_000, min_quorum=3)


def test_the_limits_of_requests_between_agents() -> None:
    assert rpc_settings(load(["-dev"])) == RPCSettings()
    text = (
        'limits { rpc_handshake_timeout = "1s" rpc_client_timeout = "2s" rpc_max_conns_per_client = 3 rpc_rate = 4.5'
        " rpc_max_burst = 6 }"
    )
    assert rpc_settings(load(["-dev", f"-hcl={text}"])) == RPCSettings(
        handshake_timeout_s=1.0, client_timeout_s=2.0, max_connections_per_client=3, rate=4.5, max_burst=6
    )
