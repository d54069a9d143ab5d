"""`pyconsul kv copy` and `kv move` against a running agent, and large values."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

Run = Callable[..., subprocess.CompletedProcess[bytes]]


def keys(pyconsul: Run, prefix: str) -> list[str]:
    return pyconsul("kv", "get", "-keys", "-separator=", prefix).stdout.decode().split()


def test_a_key_is_renamed_once_told_to(pyconsul: Run) -> None:
    pyconsul("kv", "put", "-flags=7", "one/name", "shop")
    done = pyconsul("kv", "move", "one/name", "one/title")
    assert done.stdout == b"- one/name\n+ one/title\nNothing was written. With -apply: 1 created, 1 deleted.\n"
    assert keys(pyconsul, "one/") == ["one/name"]
    assert pyconsul("kv", "move", "-apply", "one/name", "one/title").stdout.endswith(b"Done: 1 created, 1 deleted.\n")
    assert keys(pyconsul, "one/") == ["one/title"]
    assert b"Flags            7" in pyconsul("kv", "get", "-detailed", "one/title").stdout
    assert pyconsul("kv", "move", "-apply", "one/title", "two/").returncode == 0
    assert keys(pyconsul, "two/") == ["two/title"]


def test_a_tree_is_copied_and_moved(pyconsul: Run) -> None:
    for name in ("a", "b/c", "b/d"):
        pyconsul("kv", "put", f"tree/{name}", name)
    pyconsul("kv", "put", "copied/a", "other")
    pyconsul("kv", "put", "copied/stays", "1")
    done = pyconsul("kv", "copy", "-apply", "tree/", "copied")
    assert done.stdout == b"~ copied/a\n+ copied/b/c\n+ copied/b/d\nDone: 2 created, 1 changed.\n"
    assert keys(pyconsul, "copied/") == ["copied/a", "copied/b/c", "copied/b/d", "copied/stays"]
    assert pyconsul("kv", "copy", "tree/", "copied/").stdout == b"Nothing to do.\n"
    assert pyconsul("kv", "move", "-apply", "tree/b/", "tree/b/c/").returncode == 0
    assert keys(pyconsul, "tree/") == ["tree/a", "tree/b/c/c", "tree/b/c/d"]


def test_what_cannot_be_moved(pyconsul: Run) -> None:
    missing = pyconsul("kv", "move", "nothing/", "else/")
    assert (missing.returncode, missing.stderr) == (1, b"Error! No key exists below: nothing/\n")
    assert b"are the same: x/" in pyconsul("kv", "move", "x/", "x").stderr
    assert b"SOURCE and TARGET need a name" in pyconsul("kv", "copy", "x", "/").stderr


def test_values_that_do_not_fit_into_one_transaction(pyconsul: Run, tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"part{number}").write_bytes(bytes([number]) * 50_000)
    (tmp_path / "whole").write_bytes(b"x" * 512 * 1024)
    done = pyconsul("kv", "sync", "-apply", "-prefix=large/", str(tmp_path))
    assert done.stdout.endswith(b"Done: 21 created.\n"), done.stderr
    assert len(keys(pyconsul, "large/")) == 21
    overlapping = pyconsul("kv", "move", "-apply", "large/", "large/large/")
    assert overlapping.stdout.endswith(b"Done: 21 created, 21 deleted.\n"), overlapping.stderr
    pyconsul("kv", "put", "large/large/large/whole", "-")
    refused = pyconsul("kv", "move", "-apply", "large/", "large/large/")
    assert b"overlap, and the changes do not fit into one transaction; nothing was written" in refused.stderr
