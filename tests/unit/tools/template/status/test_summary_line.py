"""A run in one line."""

from __future__ import annotations

import pytest

from pyconsul.agent.common.structs import replace
from pyconsul.tools.template.report.run_report import RunReport, State
from pyconsul.tools.template.status.summary_line import duration, status_line


def test_all_is_well(well: RunReport) -> None:
    assert status_line(well) == "1 template current; data 2s old"
    assert status_line(replace(well, data_age=None, templates=well.templates * 3)) == "3 templates current"
    assert status_line(replace(well, templates=())) == "0 templates current; data 2s old"


def test_settling(well: RunReport) -> None:
    templates = (*well.templates, replace(well.templates[0], state=State.SETTLING))
    assert status_line(replace(well, templates=templates)) == "1 of 2 settling; data 2s old"


def test_problems(badly: RunReport) -> None:
    assert status_line(badly) == (
        "1 of 3 pending: /etc/lb.cfg; 1 of 3 waiting: key app/db, service db; 1 held by guards; "
        "Consul does not answer; data 1m15s old"
    )


def test_a_long_list_is_cut(badly: RunReport) -> None:
    waits = replace(badly.templates[1], missing=tuple(f"key {i}" for i in range(9)))
    assert status_line(replace(badly, templates=(waits,))).startswith("1 of 1 waiting: key 0, key 1, key 2, …;")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0s"), (59.9, "59s"), (60, "1m"), (3725, "1h2m"), (200_000, "2d7h")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
