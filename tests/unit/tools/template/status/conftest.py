"""Reports of runs that go well and badly."""

from __future__ import annotations

import pytest

from pyconsul.agent.common.structs import replace
from pyconsul.tools.template.report.run_report import RunReport, State, TemplateReport

WELL = TemplateReport(
    "web.j2", "/etc/web.conf", "", State.CURRENT, rendered=1_700_000_000.5, changes=("service web: -10.0.0.3:8080",)
)
WAITS = TemplateReport("db.j2", "/etc/db.conf", "apps", State.WAITING, missing=("key app/db", "service db"))
REFUSED = TemplateReport(
    "lb.j2",
    "/etc/lb.cfg",
    "",
    State.PENDING,
    problem="line 3: unknown word ****\nline 4: the same",
    rendered=1_700_000_100.0,
    held=("service api: 0 instances instead of 4",),
    retry_in=4.2,
)


@pytest.fixture
def well() -> RunReport:
    return RunReport((WELL,), True, "http://user:hunter2@127.0.0.1:8500", True, 2.3, 5, 100.0)


@pytest.fixture
def badly(well: RunReport) -> RunReport:
    return replace(well, templates=(WELL, WAITS, REFUSED), ready=False, reachable=False, data_age=75.0)
