"""What must change so that the store says what files say."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconsul.cli.errors import CliError
from pyconsul.cli.kv.plan import Change, Wanted, changes, difference, folder_entries

VALUES = st.dictionaries(st.text("ab/", min_size=1, max_size=4), st.tuples(st.binary(max_size=3), st.integers(0, 2)))


def entry(key: str, value: bytes, flags: int = 0, index: int = 9) -> dict[str, Any]:
    return {"Key": key, "Value": b64encode(value).decode() or None, "Flags": flags, "ModifyIndex": index}


def stored_of(values: Wanted) -> dict[str, dict[str, Any]]:
    return {key: entry(key, value, flags or 0) for key, (value, flags) in values.items()}


@given(VALUES, VALUES)
def test_the_changes_lead_from_one_to_the_other(wanted: Wanted, before: Wanted) -> None:
    result = dict(before)
    for change in changes(wanted, stored_of(before)):
        assert (change.kind == "+") == (change.key not in before)
        if change.kind == "-":
            del result[change.key]
        else:
            result[change.key] = (change.new, change.flags)
    assert result == wanted
    assert changes(wanted, stored_of(wanted)) == []


def test_unspecified_flags_stay() -> None:
    (change,) = changes({"a": (b"new", None)}, {"a": entry("a", b"old", 7)})
    assert (change.kind, change.flags) == ("~", 7)
    assert changes({"a": (b"old", None)}, {"a": entry("a", b"old", 7)}) == []
    (change,) = changes({"a": (b"old", 8)}, {"a": entry("a", b"old", 7)})
    assert change.flags == 8


def test_each_operation_has_its_condition() -> None:
    made = changes({"a": (b"1", None), "b": (b"2", None)}, {"b": entry("b", b"x"), "c": entry("c", b"y")})
    assert [change.operation()["KV"] for change in made] == [
        {"Verb": "cas", "Key": "a", "Value": "MQ==", "Flags": 0, "Index": 0},
        {"Verb": "cas", "Key": "b", "Value": "Mg==", "Flags": 0, "Index": 9},
        {"Verb": "delete-cas", "Key": "c", "Index": 9},
    ]


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        (b"a\n", b"b\n", [b"--- k", b"+++ k", b"@@ -1 +1 @@", b"-a", b"+b"]),
        (
            b"a",
            b"a\n",
            [b"--- k", b"+++ k", b"@@ -1 +1 @@", b"-a", b"\\ No newline at end of value", b"+a"],
        ),
        (b"\0", b"ab", [b"Binary values of k differ: 1 and 2 bytes"]),
        (b"same", b"same", []),
    ],
)
def test_differences(old: bytes, new: bytes, lines: list[bytes]) -> None:
    assert difference(Change("~", "k", old, new, 0, 1)) == lines


def test_a_key_that_is_new_has_nothing_before() -> None:
    assert difference(Change("+", "k", b"", b"a\n", 0, 0))[:2] == [b"--- /dev/null", b"+++ k"]
    assert difference(Change("-", "k", b"a\n", b"", 0, 0))[:2] == [b"--- k", b"+++ /dev/null"]


def test_a_folder(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c").write_bytes(b"1\n\n")
    (tmp_path / ".env").write_bytes(b"x")
    assert folder_entries(str(tmp_path), "p/", chomp=False) == {"p/b/c": (b"1\n\n", None)}
    assert folder_entries(str(tmp_path), "", chomp=True) == {"b/c": (b"1\n", None)}
    with pytest.raises(CliError, match="missing"):
        folder_entries(str(tmp_path / "missing"), "", chomp=False)
