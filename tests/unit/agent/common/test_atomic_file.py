"""Files are replaced as a whole, or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyconsul.agent.common.files.atomic_file import DraftFile, write_file


def test_a_file_is_replaced_and_private(tmp_path: Path) -> None:
    target = tmp_path / "state.json"
    target.write_text("old")
    target.chmod(0o644)
    write_file(target, b"new")
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["state.json"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"half"
        raise OSError("connection lost")

    target = tmp_path / "backup.snap"
    target.write_text("old")
    draft = DraftFile(tmp_path, target.name)
    with pytest.raises(OSError, match="connection lost"):
        draft.fill(pieces())
    draft.discard()
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["backup.snap"]


def test_a_target_that_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_file(tmp_path / "x", b"data")
    assert os.listdir(tmp_path) == ["x"]
