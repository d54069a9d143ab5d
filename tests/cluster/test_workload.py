"""The clients of the tests here: they accept what one agent tells them, and see that two agents are not a cluster."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cluster.verification import require_acknowledged
from cluster.workload import Workload, load_on
from support.agent_process import AgentProcess
from support.linearizability import Violation, check


@pytest.fixture(scope="module")
def two_agents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[AgentProcess]]:
    """Two agents that do not know each other."""
    agents = [AgentProcess(tmp_path_factory.mktemp(name), node_name=name) for name in ("one", "two")]
    try:
        yield [agent.start() for agent in agents]
    finally:
        for agent in agents:
            agent.stop()


def run(agents: list[AgentProcess]) -> Workload:
    with load_on(agents) as load:
        load.wait_for_progress(100)
    return load


def test_one_agent_keeps_every_promise(two_agents: list[AgentProcess]) -> None:
    load = run(two_agents[:1])
    require_acknowledged(two_agents[0], load)
    assert not load.falls
    assert not load.phantoms
    check(load.history)
    assert {type(operation.call).__name__ for operation in load.history} == {"Read", "Write", "CompareAndSet", "Delete"}


def test_two_agents_that_are_no_cluster_break_each_of_them(two_agents: list[AgentProcess]) -> None:
    load = run(two_agents)
    with pytest.raises(AssertionError, match="confirmed writes are lost at one"):
        require_acknowledged(two_agents[0], load)
    assert load.falls
    with pytest.raises(Violation, match="no order explains these operations"):
        check(load.history)
