"""Files are replaced whole, keep what they had, and are left alone when nothing has changed."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from pyconsul.tools.template.deploy.file_writer import (
    RenderError,
    draft,
    is_current,
    is_special,
    to_bytes,
    write_special,
)
from pyconsul.tools.template.spec import Spec


def spec(path: Path, **more: Any) -> Spec:
    return Spec(str(path), contents="", **more)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_old_text_stays_until_the_new_one_takes_its_place(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_text("old")
    out.chmod(0o600)
    new = draft(spec(out), b"new")
    assert out.read_text() == "old"
    new.promote()
    assert out.read_text() == "new"
    assert mode(out) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_discarded_draft_leaves_nothing(tmp_path: Path) -> None:
    draft(spec(tmp_path / "out"), b"new").discard()
    assert not list(tmp_path.iterdir())


def test_a_new_file(tmp_path: Path) -> None:
    out = tmp_path / "a" / "b" / "out"
    draft(spec(out), b"x").promote()
    assert mode(out) == 0o644
    draft(spec(out, perms=0o640), b"y").promote()
    assert mode(out) == 0o640


def test_folders_are_made_only_if_wished(tmp_path: Path) -> None:
    with pytest.raises(RenderError, match="cannot write"):
        draft(spec(tmp_path / "a" / "out", create_dest_dirs=False), b"x")
    with pytest.raises(RenderError, match="nobody-of-this-name"):
        draft(spec(tmp_path / "out", user="nobody-of-this-name"), b"x")
    assert not list(tmp_path.iterdir())


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    target, link = tmp_path / "real" / "file", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    draft(spec(link), b"new").promote()
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_the_backup(tmp_path: Path) -> None:
    out = tmp_path / "out"
    draft(spec(out, backup=True), b"1").promote()
    assert not (tmp_path / "out.bak").exists()
    draft(spec(out, backup=True), b"2").promote()
    assert (tmp_path / "out.bak").read_text() == "1"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_the_owner_is_kept_or_changed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_text("old")
    os.chown(out, 1234, 1235)
    draft(spec(out), b"new").promote()
    assert (out.stat().st_uid, out.stat().st_gid) == (1234, 1235)
    draft(spec(out, user="1", group="daemon"), b"newer").promote()
    assert (out.stat().st_uid, out.stat().st_gid) == (1, 1)


def test_current_files(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert not is_current(spec(out), b"")
    out.write_bytes(b"same")
    assert is_current(spec(out), b"same")
    assert not is_current(spec(out), b"sane")


def test_devices_are_written_to() -> None:
    null = spec(Path("/dev/null"))
    assert is_special(null)
    write_special(null, b"x")


def test_bytes_that_are_no_text_are_kept() -> None:
    assert to_bytes(b"\xff\x00".decode("utf-8", "surrogateescape")) == b"\xff\x00"
