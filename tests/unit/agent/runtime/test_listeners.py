"""Sockets that the agent opens."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest

from pyconsul.agent.runtime import listeners
from pyconsul.agent.runtime.listeners import ListenError


def test_a_socket_that_nobody_answers_is_replaced_and_one_in_use_is_not(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    listeners.unix(path).close()  # leaves its file
    with listeners.unix(path), pytest.raises(ListenError, match="another process answers there"):
        listeners.unix(path)


def test_no_other_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    for name in ("file", "link"):
        with pytest.raises(ListenError, match="there is a file that is not a socket"):
            listeners.unix(str(tmp_path / name))
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "mine"


def test_a_socket_gets_the_configured_mode(tmp_path: Path) -> None:
    with listeners.unix(str(tmp_path / "socket"), listeners.Owner(mode="0660")) as sock:
        assert sock.family == socket.AF_UNIX
        assert stat.S_IMODE((tmp_path / "socket").stat().st_mode) == 0o660
