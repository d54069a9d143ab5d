"""When snapshots are due, and which are kept."""

from __future__ import annotations

import pytest

from pyconsul.agent.duties.snapshots.schedule import due_in, name_at, surplus, taken_at

NOW = 1_764_428_400.0


def test_names_hold_the_time_of_the_snapshot() -> None:
    assert name_at(NOW) == "snapshot-2025-11-29T150000Z.snap"
    assert taken_at(name_at(NOW)) == NOW
    assert [taken_at(name) for name in ("backup.snap", "snapshot-2025.snap", ".snapshot-2025-11-29T150000Z.snap")] == [
        None
    ] * 3


@pytest.mark.parametrize(
    ("ages", "due"),
    [([], 0.0), ([10], 50.0), ([60], 0.0), ([600], 0.0), ([600, 20], 40.0), ([-3600], 60.0)],
)
def test_a_snapshot_is_due_an_interval_after_the_last_one(ages: list[int], due: float) -> None:
    assert due_in([*(name_at(NOW - age) for age in ages), "other"], 60.0, NOW) == due


def test_the_latest_snapshots_are_kept_and_no_other_file_is_touched() -> None:
    names = [name_at(NOW - age) for age in (30, 10, 20)]
    assert surplus([*names, "backup.snap"], 2) == [name_at(NOW - 30)]
    assert surplus(names, 3) == []
