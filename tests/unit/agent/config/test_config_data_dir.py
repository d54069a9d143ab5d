"""A data folder that cannot be used: what the agent says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from pyconsul.agent.config.config import Config
from pyconsul.agent.config.host import data_folder_fault, with_node_id
from pyconsul.agent.config.problems import ConfigError


@pytest.mark.parametrize("below", ["", "a", "a/b"])
def test_a_file_is_no_folder(below: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ConfigError) as caught:
        with_node_id(replace(Config(), data_dir=str(file / below)))
    assert caught.value.errors == (f"data_dir: {file} is a file, not a folder; choose a folder with -data-dir",)


def test_a_folder_of_somebody_else(tmp_path: Path) -> None:
    text = data_folder_fault(tmp_path / "node-id", PermissionError(13, "Permission denied"))
    assert text.startswith(f"{tmp_path} is not writable by UID {os.geteuid()}, which the agent runs as; ")


def test_other_faults_name_the_file(tmp_path: Path) -> None:
    assert data_folder_fault(tmp_path / "node-id", OSError(28, "No space left on device")) == (
        f"cannot write {tmp_path}/node-id: No space left on device"
    )
    (tmp_path / "node-id").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="node-id is not UTF-8 text; remove it"):
        with_node_id(replace(Config(), data_dir=str(tmp_path)))
