"""The file with a tool's process ID."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pyconsul.tools.options.hcl_file import ConfigError
from pyconsul.tools.process.pid_file import pid_file


def test_only_the_owner_may_write_it_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    before = os.umask(0)
    try:
        with pid_file(str(path)):
            assert path.read_text() == f"{os.getpid()}\n"
            assert path.stat().st_mode & 0o777 == 0o644
    finally:
        os.umask(before)
    assert not path.exists()


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigError, match=r"cannot write the PID file .*/none/pid: no such file or directory"),
        pid_file(str(tmp_path / "none" / "pid")),
    ):
        pytest.fail("it goes on")
