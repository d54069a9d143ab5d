"""The folder of an etcd member that is not used any more."""

from __future__ import annotations

from pathlib import Path

from pyconsul.agent.cluster.etcd.contract import DATA, FOLDER, set_aside


def test_data_are_kept_under_another_name(tmp_path: Path) -> None:
    for content in ("one", "two"):  # within the same second
        (tmp_path / FOLDER / DATA).mkdir(parents=True)
        (tmp_path / FOLDER / DATA / "db").write_text(content)
        kept = set_aside(tmp_path, "removed")
        assert kept is not None
        assert (kept / DATA / "db").read_text() == content
    assert not (tmp_path / FOLDER).exists()


def test_a_folder_without_data_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "a-socket:1").touch()
    assert set_aside(tmp_path, "removed") is None
    assert list(tmp_path.iterdir()) == []
    assert set_aside(tmp_path, "removed") is None
