"""A run is shown to systemd and over HTTP for as long as it goes on."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from pyconsul.agent.common.process.sd_notify import Notifier
from pyconsul.agent.common.structs import replace
from pyconsul.tools.options.hcl_file import ConfigError
from pyconsul.tools.template.report.counters import Counters
from pyconsul.tools.template.report.run_report import RunReport
from pyconsul.tools.template.status.serve_status import serve_status


def none(service: str, destination: str) -> int:
    return 0


async def test_systemd_hears_how_it_goes(well: RunReport, badly: RunReport, tmp_path: Path) -> None:
    now = [badly]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(30)

        async def heard() -> str:
            return (await asyncio.to_thread(systemd.recv, 4096)).decode()

        async with serve_status("", Notifier(str(tmp_path / "notify")), lambda: now[0], Counters(), none):
            assert "1 of 3 waiting: key app/db, service db" in await heard()
            now[0] = well
            assert await heard() == "STATUS=1 template current; data 2s old"
            assert await heard() == "READY=1"


async def test_pages_are_there_while_it_runs(well: RunReport, tmp_path: Path) -> None:
    path = tmp_path / "status"
    async with serve_status(f"unix://{path}", Notifier(""), lambda: replace(well, ready=False), Counters(), none):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"GET /ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 503 ")
        writer.close()
    assert not path.exists()


async def test_a_bad_address_is_reported_at_once(well: RunReport) -> None:
    with pytest.raises(ConfigError, match="-http-addr-status"):
        async with serve_status("nonsense", Notifier(""), lambda: well, Counters(), none):
            pass
