"""Plan the writes and deletions that make the KV store equal to files. Pure apart from reading the files.

A change is always made under the condition that its key is still as it was seen.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import Any

from pyconsul.cli.errors import CliError

#: A key's value in the files, and its flags, None when they have none.
Wanted = dict[str, tuple[bytes, int | None]]
#: Operations that fit into one transaction.
BATCH = 64
#: Octets of one transaction's request; the agent's default limit is 512 KiB.
MAX_OCTETS = 500_000
_REST = 150  # octets of an operation besides key and value


class Change:
    """One key that differs: `kind` is + (to be created), ~ (to be written) or - (only in the store)."""

    __slots__ = ("flags", "index", "key", "kind", "new", "old")

    def __init__(self, kind: str, key: str, old: bytes, new: bytes, flags: int, index: int) -> None:
        self.kind = kind
        self.key = key
        self.old = old
        self.new = new
        self.flags = flags
        self.index = index

    @property
    def octets(self) -> int:
        """Return the size of its operation, at most: in JSON, one octet of a key may take six."""
        value = 0 if self.kind == "-" else 4 * (len(self.new) // 3 + 1)
        return _REST + 6 * len(self.key.encode("utf-8", "surrogateescape")) + value

    def document(self) -> dict[str, Any]:
        """Return the change for programs: its kind, the key, the new value and flags."""
        from binascii import b2a_base64

        action = {"+": "create", "~": "change", "-": "delete"}[self.kind]
        value = None if self.kind == "-" else b2a_base64(self.new, newline=False).decode()
        return {"Action": action, "Key": self.key, "Flags": self.flags, "Value": value, "ModifyIndex": self.index}

    def operation(self) -> dict[str, Any]:
        """Return its operation of a transaction, which fails when the key has changed since."""
        from binascii import b2a_base64

        if self.kind == "-":
            return {"KV": {"Verb": "delete-cas", "Key": self.key, "Index": self.index}}
        value = b2a_base64(self.new, newline=False).decode()
        return {"KV": {"Verb": "cas", "Key": self.key, "Value": value, "Flags": self.flags, "Index": self.index}}


def changes(wanted: Wanted, stored: Mapping[str, dict[str, Any]]) -> list[Change]:
    """Return the keys that differ, sorted. `stored`: the entries below the prefix, as in the API, by key."""
    from binascii import a2b_base64

    found = []
    for key in sorted(wanted.keys() | stored.keys()):
        entry = stored.get(key)
        old, flags = (a2b_base64(entry.get("Value") or ""), entry["Flags"]) if entry else (b"", 0)
        index = entry["ModifyIndex"] if entry else 0
        if key not in wanted:
            found.append(Change("-", key, old, b"", flags, index))
            continue
        value, wanted_flags = wanted[key]
        new_flags = flags if wanted_flags is None else wanted_flags
        if entry is None or (value, new_flags) != (old, flags):
            found.append(Change("~" if entry else "+", key, old, value, new_flags, index))
    return found


def difference(change: Change) -> list[bytes]:
    """Return the change as `diff -u` shows it; of binary values only the sizes."""
    from difflib import diff_bytes, unified_diff

    name = change.key.encode("utf-8", "surrogateescape")
    old, new = (b"/dev/null" if change.kind == kind else name for kind in "+-")
    if b"\0" in change.old or b"\0" in change.new:
        sizes = f": {len(change.old)} and {len(change.new)} bytes".encode()
        return [b"Binary values of " + name + b" differ" + sizes]
    before, after = change.old.splitlines(keepends=True), change.new.splitlines(keepends=True)
    made: list[bytes] = []
    for line in diff_bytes(unified_diff, before, after, old, new):
        made.append(line.removesuffix(b"\n"))
        if not line.endswith(b"\n"):
            made.append(b"\\ No newline at end of value")
    return made


def shown(change: Change, *, diff: bool) -> list[bytes]:
    """Return the change as lines: its kind and key, or with `diff` as `diff -u` shows it."""
    name = f"{change.kind} {change.key}".encode("utf-8", "surrogateescape")
    return (difference(change) or [name + b": flags, or an empty value"]) if diff else [name]


def common_folder(keys: Collection[str]) -> str:
    """Return the folder that all keys are in, with its `/`; empty when they share none."""
    first, last = min(keys), max(keys)  # whatever these two share, all between them share
    end = 0
    for position, (one, other) in enumerate(zip(first, last, strict=False), 1):
        if one != other:
            break
        if one == "/":
            end = position
    return first[:end]


def folder_entries(folder: str, prefix: str, *, chomp: bool) -> Wanted:
    """Return a key for each file, named by its path in the folder. Raises CliError.

    Names with a dot at the begin are skipped; `chomp` removes one line break at a file's end.
    """
    wanted: Wanted = {}
    for place, folders, names in os.walk(folder, onerror=_unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            if name.startswith("."):
                continue
            path = os.path.join(place, name)
            try:
                with open(path, "rb") as file:
                    value = file.read()
            except OSError as error:
                _unreadable(error)
            key = prefix + os.path.relpath(path, folder).replace(os.sep, "/")
            wanted[key] = (value.removesuffix(b"\n") if chomp else value, None)
    return wanted


def _unreadable(error: OSError) -> None:
    raise CliError(f"Error! Cannot read {error.filename}: {error.strerror}")
