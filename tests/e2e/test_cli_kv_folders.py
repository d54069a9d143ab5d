"""`pyconsul kv tree`, `diff`, `sync`, `edit` and `watch` against a running agent."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[bytes]]
PYCONSUL = str(Path(sys.executable).parent / "pyconsul")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two files that become keys, and two that do not."""
    made = tmp_path / "settings"
    (made / "web" / ".git").mkdir(parents=True)
    (made / "name").write_bytes(b"shop\n")
    (made / "web" / "port").write_bytes(b"80")
    (made / ".hidden").write_bytes(b"x")
    (made / "web" / ".git" / "config").write_bytes(b"x")
    return made


@contextmanager
def following(cli_agent: str, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    environ = {**os.environ, "CONSUL_HTTP_ADDR": cli_agent}
    process = subprocess.Popen([PYCONSUL, *words], stdout=subprocess.PIPE, env=environ)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_sync_says_first_what_it_would_do(pyconsul: Run, folder: Path) -> None:
    done = pyconsul("kv", "sync", "-prefix=dry/", str(folder))
    assert done.stdout == b"+ dry/name\n+ dry/web/port\nNothing was written. With -apply: 2 created.\n"
    assert pyconsul("kv", "get", "-keys", "dry/").stdout == b""


def test_sync_writes_bytes_and_leaves_other_keys_alone(pyconsul: Run, folder: Path) -> None:
    pyconsul("kv", "put", "-flags=7", "made/name", "old")
    pyconsul("kv", "put", "made/other", "stays")
    done = pyconsul("kv", "sync", "-apply", "-prefix=made/", str(folder))
    assert done.stdout == b"~ made/name\n+ made/web/port\nDone: 1 created, 1 changed.\n"
    assert b"1 keys are only in the store" in done.stderr
    assert pyconsul("kv", "get", "made/name").stdout == b"shop\n\n"
    assert b"Flags            7" in pyconsul("kv", "get", "-detailed", "made/name").stdout
    assert pyconsul("kv", "get", "made/other").stdout == b"stays\n"
    assert pyconsul("kv", "sync", "-prefix=made/", str(folder)).stdout == b"Nothing to do.\n"


def test_prune_deletes_few_keys_only_unless_told(pyconsul: Run, folder: Path) -> None:
    rows = ",".join(f'{{"key": "pruned/{number}"}}' for number in range(100))
    assert pyconsul("kv", "import", "-", stdin=f"[{rows}]".encode()).returncode == 0
    done = pyconsul("kv", "sync", "-apply", "-prune", "-prefix=pruned/", str(folder))
    assert done.returncode == 1
    assert b"-max-prune=100" in done.stderr
    assert pyconsul("kv", "get", "pruned/name").returncode == 1  # nothing was written either
    assert pyconsul("kv", "sync", "-apply", "-prune", "-max-prune=100", "-prefix=pruned/", str(folder)).returncode == 0
    assert pyconsul("kv", "get", "-keys", "-separator=", "pruned/").stdout == b"pruned/name\npruned/web/port\n"


def test_an_empty_folder_deletes_nothing(pyconsul: Run, tmp_path: Path) -> None:
    pyconsul("kv", "put", "kept/a", "1")
    (tmp_path / "empty").mkdir()
    assert pyconsul("kv", "sync", "-apply", "-prune", "-prefix=kept/", "empty").returncode == 1
    assert pyconsul("kv", "sync", "-apply", "-prune", "-prefix=kept/", "missing").returncode == 1
    assert pyconsul("kv", "get", "kept/a").stdout == b"1\n"


def test_diff(pyconsul: Run, folder: Path) -> None:
    pyconsul("kv", "put", "differs/name", "stall\n")
    pyconsul("kv", "put", "differs/more", "x")
    pyconsul("kv", "put", "differs/web/port", "80")
    done = pyconsul("kv", "diff", "-prefix=differs/", str(folder))
    assert done.returncode == 1
    assert b"--- differs/name\n+++ differs/name\n@@ -1 +1 @@\n-stall\n+shop\n" in done.stdout
    names = pyconsul("kv", "diff", "-names", "-prefix=differs/", str(folder)).stdout
    assert names == b"- differs/more\n~ differs/name\n"


def test_an_export_can_be_compared_and_put_back(pyconsul: Run) -> None:
    pyconsul("kv", "put", "elsewhere/a", "1")
    pyconsul("kv", "put", "-flags=3", "there/a", "1")
    exported = pyconsul("kv", "export", "there/").stdout
    assert pyconsul("kv", "diff", "-prefix=", "-", stdin=exported).returncode == 1  # elsewhere/a
    pyconsul("kv", "delete", "there/a")
    assert pyconsul("kv", "sync", "-apply", "-", stdin=exported).returncode == 0
    assert pyconsul("kv", "export", "there/").stdout == exported


def test_tree(pyconsul: Run) -> None:
    for key, value in (("leaf", "1"), ("dir/a", "two\nlines"), ("dir", "both"), ("dir/b", b"\0")):
        pyconsul("kv", "put", f"drawn/{key}", "-", stdin=value if isinstance(value, bytes) else value.encode())
    assert pyconsul("kv", "tree", "drawn/").stdout.decode() == "drawn/\n├── dir/\n│   ├── a\n│   └── b\n└── leaf\n"
    shown = pyconsul("kv", "tree", "-values", "drawn/").stdout.decode()
    assert "├── dir/ = both\n│   ├── a = two…\n│   └── b = <1 bytes>\n└── leaf = 1\n" in shown
    assert pyconsul("kv", "tree", "-detailed-exitcode", "drawn/none/").returncode == 3


def editor(folder: Path, line: str) -> str:
    """Return a program that changes the file it is given by a line of shell, in which $1 is the file."""
    path = folder / "editor"
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_edit(pyconsul: Run, tmp_path: Path) -> None:
    pyconsul("kv", "put", "-flags=5", "edited/a", "one")
    program = editor(tmp_path, 'stat -c %a "$1" >mode; cat "$1" >before; echo two >"$1"')
    assert pyconsul("kv", "edit", "edited/a", EDITOR=program).stdout == b"Success! Data written to: edited/a\n"
    assert (tmp_path / "mode").read_text() == "600\n"
    assert (tmp_path / "before").read_bytes() == b"one"
    assert pyconsul("kv", "get", "edited/a").stdout == b"two\n"
    assert b"Flags            5" in pyconsul("kv", "get", "-detailed", "edited/a").stdout
    assert pyconsul("kv", "edit", "edited/a", EDITOR="true").stdout == b"No change: edited/a\n"
    assert pyconsul("kv", "edit", "-editor", program, "edited/new").returncode == 0
    assert pyconsul("kv", "get", "edited/new").stdout == b"two\n"


def test_edit_does_not_overwrite_somebody_else(pyconsul: Run, cli_agent: str, tmp_path: Path) -> None:
    pyconsul("kv", "put", "fought/a", "one")
    program = editor(tmp_path, f'echo mine >"$1"; {PYCONSUL} kv put -http-addr={cli_agent} fought/a theirs')
    done = pyconsul("kv", "edit", "-detailed-exitcode", "fought/a", VISUAL=program, TMPDIR=str(tmp_path))
    assert done.returncode == 6
    assert pyconsul("kv", "get", "fought/a").stdout == b"theirs\n"
    (kept,) = tmp_path.glob("pyconsul-*")
    assert str(kept).encode() in done.stderr
    assert kept.read_bytes() == b"mine\n"


def test_an_editor_that_fails_changes_nothing(pyconsul: Run, tmp_path: Path) -> None:
    pyconsul("kv", "put", "fails/a", "one")
    for program in ("false", "/nothing/here"):
        done = pyconsul("kv", "edit", "fails/a", EDITOR=program, TMPDIR=str(tmp_path))
        assert done.returncode == 1
        assert b"Traceback" not in done.stderr
    assert pyconsul("kv", "get", "fails/a").stdout == b"one\n"
    assert not list(tmp_path.glob("pyconsul-*"))


def test_watch_a_tree(pyconsul: Run, cli_agent: str) -> None:
    pyconsul("kv", "put", "watched/a", "1")
    with following(cli_agent, "kv", "watch", "-recurse", "watched/") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"+ watched/a:1\n"
        pyconsul("kv", "put", "watched/a", "2")
        assert process.stdout.readline() == b"~ watched/a:2\n"
        pyconsul("kv", "delete", "watched/a")
        assert process.stdout.readline() == b"- watched/a\n"


def test_watch_a_key(pyconsul: Run, cli_agent: str) -> None:
    pyconsul("kv", "put", "followed", "1")
    with following(cli_agent, "kv", "watch", "followed") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"1\n"
        pyconsul("kv", "put", "followed", "2")
        assert process.stdout.readline() == b"2\n"
    assert pyconsul("kv", "watch", "-once", "followed").stdout == b"2\n"


def test_an_export_prunes_only_what_it_was_made_of(pyconsul: Run, folder: Path) -> None:
    for key in ("scope/cfg/a", "scope/cfg/b/c", "scope/cfh", "elsewhere/x"):
        pyconsul("kv", "put", key, "1")
    exported = pyconsul("kv", "export", "scope/cfg/").stdout
    pyconsul("kv", "put", "scope/cfg/b/new", "1")
    done = pyconsul("kv", "sync", "-diff", "-prune", "-apply", "-", stdin=exported)
    assert (
        done.stdout
        == b"--- scope/cfg/b/new\n+++ /dev/null\n@@ -1 +0,0 @@\n-1\n\\ No newline at end of value\nDone: 1 deleted.\n"
    )
    assert pyconsul("kv", "get", "scope/cfh").returncode == pyconsul("kv", "get", "elsewhere/x").returncode == 0
    pyconsul("kv", "put", "copy/scope/cfg/old", "1")
    pyconsul("kv", "put", "copy/other", "1")
    done = pyconsul("kv", "sync", "-prune", "-prefix=copy/", "-", stdin=exported)
    assert done.stdout.splitlines()[:3] == [b"+ copy/scope/cfg/a", b"+ copy/scope/cfg/b/c", b"- copy/scope/cfg/old"]
    refused = pyconsul("kv", "sync", "-prune", "-apply", str(folder))
    assert (refused.returncode, refused.stdout) == (1, b"")
    assert b"-prefix=" in refused.stderr
