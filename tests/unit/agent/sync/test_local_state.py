"""The local state: which results of checks are written at once, and which later."""

from __future__ import annotations

import pytest
from support.local_agent import check_row

from pyconsul.agent.state.watches import Watches
from pyconsul.agent.sync.local_rows import CheckRow
from pyconsul.agent.sync.local_state import LocalState, Update


@pytest.mark.parametrize(
    ("status", "output", "update"),
    [
        ("critical", "one", Update.NOTHING),
        ("critical", "two", Update.LATER),
        ("passing", "two", Update.NOW),
    ],
)
def test_an_output_alone_is_written_later(status: str, output: str, update: Update) -> None:
    assert synchronized("one").update_check("c", status, output, 0.0, delay_output=True) is update


def test_the_first_output_says_why_at_once() -> None:
    assert synchronized("").update_check("c", "critical", "no route", 0.0, delay_output=True) is Update.NOW


def synchronized(output: str) -> LocalState:
    """Return a state whose critical check the catalog shows already."""
    local = LocalState(Watches())
    local.put_check(CheckRow(check_row("c", output=output), None, ""), 0.0)
    local.take()
    return local
