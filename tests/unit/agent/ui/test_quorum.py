"""The quorum in words."""

from __future__ import annotations

import pytest

from pyconsul.agent.ui.pages.cluster.quorum import Voting, consequence, summary, tolerance


def servers(text: str) -> list[Voting]:
    """Return servers from letters: L leads, V votes, N has no vote, X is a failed voter."""
    return [Voting(f"{letter}{at}", letter != "N", letter == "L", letter != "X") for at, letter in enumerate(text)]


@pytest.mark.parametrize(
    ("text", "spare", "expected"),
    [
        ("L", 0, "There is one server"),
        ("LV", 0, "no other server may fail: 2 of 2 voters are healthy"),
        ("LVV", 1, "1 of 3 servers may fail"),
        ("LVVN", 1, "1 of 3 servers may fail"),
        ("LVX", 0, "no other server may fail: 2 of 3"),
        ("LXX", -1, "The quorum is lost: 1 of 3 voters are healthy, 2 are needed"),
        ("VXX", -1, "No server leads: 1 of 3 voters is alive, 2 are needed"),
        ("VVV", 1, "No server leads: 3 of 3 voters are alive, enough to elect one"),
        ("LVVVV", 2, "2 of 5 servers may fail"),
    ],
)
def test_summary(text: str, spare: int, expected: str) -> None:
    found = servers(text)
    assert tolerance(found) == spare
    assert expected in summary(found)


@pytest.mark.parametrize(
    ("text", "at", "expected"),
    [
        ("L", 0, "Everything stops"),
        ("LVV", 0, "Writes pause for a second or two while another server takes the lead; no other may fail then."),
        ("LVV", 1, "Nothing noticeable; no other may fail then."),
        ("LVVVV", 0, "1 more may fail then"),
        ("LVVN", 3, "Nothing: it has no vote."),
        ("LVX", 1, "The quorum is lost: 1 of 3 voters are left."),
        ("LVX", 2, "Nothing more: it has failed already."),
        ("VXX", 0, "The quorum is lost already"),
    ],
)
def test_consequence_of_a_stop(text: str, at: int, expected: str) -> None:
    found = servers(text)
    assert expected in consequence(found, found[at].name)
