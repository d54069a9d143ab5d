"""Values as people edit them: nothing is damaged, and two people's changes are joined."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pyconsul.agent.ui.pages.kv.values import (
    MINE,
    THEIRS,
    Side,
    edited,
    has_mixed_ends,
    hexdump,
    joined,
    side_by_side,
    text_of,
    unified,
)

LINES = st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=8).map("\n".join)


def sent(text: str) -> str:
    """Return a text as a browser sends it."""
    return unified(text).replace("\n", "\r\n")


@given(st.text())
@example("a\r\nb\nc\rd")
@example("\n\n")
@example("\ufeffx")
def test_a_value_that_was_not_edited_stays_byte_for_byte(text: str) -> None:
    value = text.encode()
    shown = text_of(value)
    if shown is not None:
        assert edited(value, sent(shown)) == value


@pytest.mark.parametrize(
    ("old", "typed", "new"),
    [
        (b"a\nb", "a\r\nb\r\nc", b"a\nb\nc"),
        (b"a\r\nb\r\n", "a\r\nB\r\n", b"a\r\nB\r\n"),
        (b"a\r\nb\n", "a\r\nB\r\n", b"a\nB\n"),
        (b"", "x\r\n", b"x\n"),
    ],
)
def test_an_edited_value_has_its_old_line_ends(old: bytes, typed: str, new: bytes) -> None:
    assert edited(old, typed) == new


def test_mixed_line_ends_are_known() -> None:
    assert has_mixed_ends("a\r\nb\n")
    assert has_mixed_ends("a\rb")
    assert not has_mixed_ends("a\r\nb\r\n")
    assert not has_mixed_ends("a\nb")


@pytest.mark.parametrize("value", [b"\xff\xfe\x00", b"\x00", b"a\x1bb", b"\x7fELF", b"\xed\xa0\x80"])
def test_a_binary_value_is_not_text(value: bytes) -> None:
    assert text_of(value) is None


def test_a_hex_dump() -> None:
    assert hexdump(b"hello, world! \xff\x00\x01\x02") == (
        "00000000  68 65 6c 6c 6f 2c 20 77  6f 72 6c 64 21 20 ff 00  |hello, world! ..|\n"
        "00000010  01 02                                             |..|"
    )
    assert len(hexdump(bytes(100_000)).splitlines()) == 256


@given(LINES, LINES)
def test_both_sides_have_all_their_lines(left: str, right: str) -> None:
    pairs = side_by_side(left, right)
    assert pairs is not None
    for text, sides in ((left, [one.left for one in pairs]), (right, [one.right for one in pairs])):
        lines = text.split("\n")
        numbers = [side.number for side in sides if side.number]
        assert numbers == sorted(numbers)
        assert all(lines[side.number - 1] == side.text for side in sides if side.number)
        assert len(numbers) + sum(one.skipped for one in pairs) == len(lines)


def test_equal_lines_are_left_out_but_those_around_a_difference() -> None:
    text = "\n".join(map(str, range(20)))
    pairs = side_by_side(text, text.replace("10", "ten"))
    assert pairs is not None
    assert [one.skipped for one in pairs if one.skipped] == [7, 6]
    [changed] = [one for one in pairs if one.left.differs]
    assert (changed.left, changed.right) == (Side(11, "10", True), Side(11, "ten", True))


def test_long_texts_are_not_compared() -> None:
    assert side_by_side("\n" * 3000, "") is None


def test_changes_in_different_places_are_joined() -> None:
    assert joined("a\nb\nc\nd", "A\nb\nc\nd", "a\nb\nc\nd\ne") == ("A\nb\nc\nd\ne", 0)


def test_changes_of_one_place_are_marked() -> None:
    text, conflicts = joined("a\nb\nc", "a\nmine\nc", "a\ntheirs\nc")
    assert text == f"a\n{MINE}\nmine\n=======\ntheirs\n{THEIRS}\nc"
    assert conflicts == 1


def test_without_a_base_each_difference_is_marked() -> None:
    text, conflicts = joined(None, "a\nb", "a\nc")
    assert (text, conflicts) == (f"a\n{MINE}\nb\n=======\nc\n{THEIRS}", 1)


@given(LINES, LINES)
def test_joining_with_an_unchanged_text_gives_the_other(base: str, text: str) -> None:
    assert joined(base, text, base) == (text, 0)
    assert joined(base, base, text) == (text, 0)
    assert joined(base, text, text) == (text, 0)
