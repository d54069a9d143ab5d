"""Servers on machines without etcd."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.eventually import eventually_async
from support.server_clusters import town


async def test_servers_say_at_the_start_that_etcd_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    async with town(tmp_path) as place:
        await place.machine(expect=3).start()
        await eventually_async(lambda: "cannot be a member of a cluster: cannot find the program etcd" in caplog.text)
        assert "apt-get install etcd-server" in caplog.text
        caplog.clear()
        await place.machine(is_bootstrapped=True).start()
        await eventually_async(lambda: place.machines[1].cluster.leadership.leads)
        assert "cannot be a member" not in caplog.text, "a single server needs no etcd"
