"""A server that is killed after each step of its move into etcd: it goes on from the state that is complete."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from support.etcd import needs_etcd
from support.eventually import eventually_async
from support.server_clusters import town

pytestmark = needs_etcd
TESTS = Path(__file__).resolve().parents[2]
BEFORE = ("recorded", "started", "leading", "copied", "caught up", "held")
AFTER = ("moved", "switched", "recorded as a member")
DECISIVE = ("copied", "held", "moved")  # the others with --slow


def written_until_killed(folder: Path, step: str) -> list[str]:
    """Run a server that is killed after a step; returns the keys whose writes were acknowledged."""
    argv = [sys.executable, "-m", "support.growth_child", str(folder), step]
    done = subprocess.run(
        argv,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == -9, done.stderr.decode()
    return done.stdout.decode().split()


@pytest.mark.parametrize(
    "step", [step if step in DECISIVE else pytest.param(step, marks=pytest.mark.slow) for step in (*BEFORE, *AFTER)]
)
async def test_a_server_goes_on_after_a_kill(tmp_path: Path, step: str) -> None:
    keys = written_until_killed(tmp_path, step)
    async with town(tmp_path) as place:
        first = await place.machine(is_bootstrapped=True).start()
        assert first.cluster.is_alone is (step in BEFORE)
        await eventually_async(partial(first.has, "before", *keys))
        await eventually_async(lambda: first.cluster.leadership.leads)
        await first.put("after")
        second = await place.machine().start()
        await eventually_async(place.cluster_of(first, second))
        await eventually_async(partial(second.has, "before", "after", *keys))
        assert second.store.index >= first.store.index
