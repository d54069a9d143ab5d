"""The log in syslog, on a real socket."""

from __future__ import annotations

import logging
import socket
from pathlib import Path

import pytest

from pyconsul.agent.logs import agent_log
from pyconsul.agent.logs.syslog import SyslogHandler


def test_lines_have_their_severity_and_facility(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as daemon:
        daemon.bind(str(tmp_path / "log"))
        daemon.settimeout(10)
        handler = SyslogHandler("LOCAL3", str(tmp_path / "log"))
        handler.setFormatter(agent_log.LineFormatter())
        for level in (logging.ERROR, agent_log.TRACE):
            handler.emit(logging.LogRecord("agent", level, "", 0, "text", None, None))
        first, second = daemon.recv(1000).decode(), daemon.recv(1000).decode()
        handler.close()
    # local3 is 19: 8 * 19 + severity.
    assert first.startswith("<155>pyconsul: ")
    assert first.endswith("[ERROR] agent: text")
    assert second.startswith("<159>")


def test_without_a_syslog_the_place_is_named() -> None:
    with pytest.raises(OSError, match="/nowhere/log"):
        SyslogHandler("LOCAL0", "/nowhere/log")
