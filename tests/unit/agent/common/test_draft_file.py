"""Files on their way: what a killed run has left is removed, what somebody works on is not, nor what is not ours."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from typing import Any

import pytest

from pyconsul.agent.common.files import atomic_file
from pyconsul.agent.common.files.atomic_file import DraftFile


@pytest.fixture(autouse=True)
def _another_run() -> None:
    another_run()


def another_run() -> None:
    """What a run does only once is done again."""
    atomic_file._remove_stale_drafts.cache_clear()


def leave(folder: Path, name: str = "out") -> Path:
    """Return a file whose maker is killed: the locks of a process end with it."""
    file = DraftFile(folder, name)
    file.fill([b"half"])
    file._lock.close()
    return file.path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_name_of_a_draft_holds_its_owner(tmp_path: Path) -> None:
    file = DraftFile(tmp_path, "haproxy.cfg")
    file.fill([b"text"], lambda handle: os.fchmod(handle, 0o640))
    (name,) = names(tmp_path)
    assert name.startswith(".haproxy.cfg.")
    assert name.endswith(".pyconsul-draft")
    assert file.path.read_bytes() == b"text"
    assert file.path.stat().st_mode & 0o777 == 0o640
    file.discard()
    file.discard()
    assert names(tmp_path) == []


def test_stale_drafts_of_any_destination_are_removed(tmp_path: Path) -> None:
    left = [leave(tmp_path), leave(tmp_path), leave(tmp_path, "gone.conf")]
    assert all(path.exists() for path in left)
    another_run()
    DraftFile(tmp_path, "out").discard()
    assert names(tmp_path) == []


def test_drafts_in_use_stay(tmp_path: Path) -> None:
    theirs = DraftFile(tmp_path, "out")
    another_run()
    ours = DraftFile(tmp_path, "out")
    theirs.fill([b"theirs"])
    another_run()
    assert len(names(tmp_path)) == 2
    DraftFile(tmp_path, "out").discard()
    assert theirs.path.read_bytes() == b"theirs"
    os.replace(theirs.path, tmp_path / "out")
    theirs.discard()
    ours.discard()
    assert names(tmp_path) == ["out"]


def test_foreign_files_stay(tmp_path: Path) -> None:
    others = [".haproxy.cfg.bak12345", ".out.abcd1234", "out.abcd1234.pyconsul-draft", ".out.pyconsul-draft.txt"]
    for name in others:
        (tmp_path / name).write_text("mine")
    folder, link = ".folder.abcd1234.pyconsul-draft", ".link.abcd1234.pyconsul-draft"
    (tmp_path / folder).mkdir()
    (tmp_path / link).symlink_to(others[0])
    os.mkfifo(tmp_path / ".pipe.abcd1234.pyconsul-draft")
    before = names(tmp_path)
    DraftFile(tmp_path, "out").discard()
    assert names(tmp_path) == before


def test_a_folder_is_looked_at_once(tmp_path: Path) -> None:
    DraftFile(tmp_path, "out").discard()
    left = leave(tmp_path)
    DraftFile(tmp_path, "out").discard()
    assert left.exists()


def test_one_that_another_program_removes_before_it_is_locked_is_made_again(tmp_path: Path, monkeypatch: Any) -> None:
    lock, refused = atomic_file._locked, []

    def late(path: Path) -> Any:
        with open(path, "rb") as other:
            if not refused:
                path.unlink()
            elif len(refused) == 1:
                fcntl.flock(other, fcntl.LOCK_EX)
            result = lock(path)
        if result is None:
            refused.append(path)
        return result

    monkeypatch.setattr(atomic_file, "_locked", late)
    file = DraftFile(tmp_path, "out")
    assert len(refused) == 2
    assert file.path not in refused
    file.fill([b"x"])
    assert file.path.read_bytes() == b"x"
    file.discard()


def test_one_that_is_removed_just_when_it_is_locked_is_not_taken(tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "file"
    path.touch()
    monkeypatch.setattr(fcntl, "flock", lambda *_: path.unlink())
    assert atomic_file._locked(path) is None


def test_without_locks_nothing_is_taken_for_a_leftover(tmp_path: Path, monkeypatch: Any) -> None:
    left = leave(tmp_path)

    def no_locks(*_: Any) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    another_run()
    file = DraftFile(tmp_path, "out")
    file.fill([b"x"])
    file.discard()
    assert names(tmp_path) == [left.name]


def test_a_file_that_cannot_be_made_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        DraftFile(tmp_path / "none", "out")
    assert names(tmp_path) == []
