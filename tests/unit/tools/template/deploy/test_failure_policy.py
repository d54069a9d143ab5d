"""Which errors of a template end the program, and which leave the old file in use and are reported once."""

from __future__ import annotations

import logging
from typing import Any, cast

import pytest

from pyconsul.tools.template.deploy.contract import Refused
from pyconsul.tools.template.deploy.failure_policy import FailurePolicy
from pyconsul.tools.template.deploy.rendering import Rendering
from pyconsul.tools.template.evaluate.contract import Evaluable, TemplateError, UnsafeField
from pyconsul.tools.template.feed import lookups
from pyconsul.tools.template.feed.answers import Answers
from pyconsul.tools.template.report.counters import Counters, Event
from pyconsul.tools.template.report.disclosure import Disclosure
from pyconsul.tools.template.spec import Spec


class Told(Counters):
    def __init__(self) -> None:
        super().__init__()
        self.events: list[Event] = []

    def count(self, event: Event, label: str, *more: Any) -> None:
        self.events.append(event)


def rendering(*, done: bool = True, **settings: Any) -> Rendering:
    one = Rendering(Spec("out", source="in.ctmpl", **settings), cast(Evaluable, None))
    if done:
        one.mark_written()
    return one


def policy(*, once: bool = False, must_survive: bool = False) -> tuple[FailurePolicy, Told]:
    counters = Told()
    return FailurePolicy(counters, Disclosure(Answers(), {}), once=once, must_survive=must_survive), counters


def ends(one: Rendering, error: TemplateError | Refused, **run: bool) -> bool:
    try:
        policy(**run)[0].report(one, error)
    except type(error):
        return True
    return False


ERROR = TemplateError("in.ctmpl:1: wrong")


@pytest.mark.parametrize(
    ("settings", "run", "fatal"),
    [
        ({"syntax": "go"}, {}, True),  # Go templates end the program, as they always did
        ({"syntax": "go"}, {"must_survive": True}, False),
        ({"syntax": "go", "rollback": True}, {}, False),
        ({"syntax": "jinja2"}, {}, False),
        ({"syntax": "jinja2"}, {"once": True}, True),
        ({"syntax": "jinja2", "done": False}, {}, True),  # there is no earlier file
        ({"syntax": "jinja2", "done": False, "error_fatal": False}, {}, False),
        ({"syntax": "jinja2", "error_fatal": True}, {}, True),
    ],
)
def test_which_errors_of_templates_end_the_program(settings: dict[str, Any], run: dict[str, bool], fatal: bool) -> None:
    assert ends(rendering(**settings), ERROR, **run) is fatal


@pytest.mark.parametrize("error", [UnsafeField("line break"), Refused("no")])
@pytest.mark.parametrize("once", [True, False])
def test_a_registered_service_cannot_end_the_program(error: TemplateError | Refused, once: bool) -> None:
    assert ends(rendering(syntax="go", error_fatal=True), error, once=once) is once


def test_an_error_is_logged_once_and_counted_each_time(caplog: pytest.LogCaptureFixture) -> None:
    failures, counters = policy()
    one = rendering()
    with caplog.at_level(logging.INFO, "template"):
        failures.report(one, ERROR)
        failures.report(one, ERROR)
        failures.report(one, TemplateError("another"))
    assert [record.message for record in caplog.records] == [
        "in.ctmpl:1: wrong; out stays as it is",
        "another; out stays as it is",
    ]
    assert counters.events == [Event.TEMPLATE_ERROR] * 3
    assert one.problem == "another"


def test_refusals_are_counted_as_such() -> None:
    failures, counters = policy()
    failures.report(rendering(), Refused("no"))
    assert counters.events == [Event.REFUSED]


def test_secrets_are_concealed_before_anybody_sees_them() -> None:
    answers, lookup = Answers(), lookups.key("password")
    answers.put(lookup, lookup.decode([{"Key": "password", "Value": "aHVudGVyMg=="}]))
    one = rendering()
    one.used = frozenset({lookup})
    failures = FailurePolicy(Told(), Disclosure(answers, {}), once=False, must_survive=False)
    failures.report(one, TemplateError("cannot parse hunter2"))
    assert one.problem == "cannot parse ****"


def test_missing_keys_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    failures, _ = policy()
    one = rendering()
    with caplog.at_level(logging.INFO, "template"):
        failures.report_absent(one, {lookups.key("a")})
        failures.report_absent(one, {lookups.key("a")})
        failures.report_absent(one, set())
    assert len(caplog.records) == 1
    assert one.problem == "key a"
