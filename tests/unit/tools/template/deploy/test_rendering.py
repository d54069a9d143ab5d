"""When a template is evaluated and when its file is due; quiescence."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from pyconsul.tools.template.deploy.rendering import Rendering
from pyconsul.tools.template.deploy.unit import Quiescence, Unit
from pyconsul.tools.template.evaluate.evaluator import Evaluator
from pyconsul.tools.template.feed import lookups
from pyconsul.tools.template.feed.answers import Answers
from pyconsul.tools.template.report.run_report import State
from pyconsul.tools.template.spec import Group, Spec

A, B = lookups.key("a"), lookups.key("b")
SPEC = Spec("out", contents="{{ key('a') }}{{ key('b') }}", wait=(1.0, 3.0))


def pair(value: str) -> object:
    return lookups.key("x").decode([{"Key": "x", "Value": value}])


def unit(*, wait: bool, specs: tuple[Spec, ...] = (SPEC,), group: Group | None = None) -> Unit:
    return Unit([Rendering(spec, Evaluator(spec, {})) for spec in specs], group, wait=wait)


def known(*keys: lookups.Lookup) -> Answers:
    answers = Answers()
    for key in keys:
        answers.put(key, pair("YQ=="))
    return answers


def write(one: Unit) -> None:
    for rendering in one.renderings:
        rendering.mark_written()
    one.succeed()


def test_it_is_evaluated_again_only_when_all_that_was_asked_for_is_known() -> None:
    answers, one = Answers(), unit(wait=False)
    [(rendering, first)] = one.evaluate(answers, 0)
    assert first.missing == {A, B}
    answers.put(A, pair("YQ=="))
    one.notice({A}, 1)
    assert not one.evaluate(answers, 1)
    answers.put(B, pair("Yg=="))
    one.notice({B}, 2)
    assert one.evaluate(answers, 2)
    assert rendering.data == b"ab"
    assert one.deadline == 2
    write(one)
    assert one.deadline is None


def test_other_lookups_do_not_concern_it() -> None:
    answers, one = known(A, B), unit(wait=False)
    assert one.evaluate(answers, 0)
    one.notice({lookups.key("c")}, 1)
    assert not one.evaluate(answers, 1)


def test_a_key_that_does_not_exist_does_not_hold_up_the_evaluation() -> None:
    answers, one = Answers(), unit(wait=False)
    one.evaluate(answers, 0)
    answers.put(A, None)
    answers.put(B, pair("YQ=="))
    one.notice({A, B}, 1)
    [(rendering, result)] = one.evaluate(answers, 1)
    assert result.missing == {A}
    assert one.state(rendering) is State.WAITING
    assert one.deadline is None


def test_a_change_while_it_is_due_extends_the_wait() -> None:
    answers, one = known(A, B), unit(wait=True)
    one.evaluate(answers, 10)
    assert one.deadline == 11
    one.notice({A}, 10.5)
    one.evaluate(answers, 10.5)
    assert one.deadline == 11.5


def test_after_failures_a_unit_is_retried_with_growing_backoff_or_at_the_next_change() -> None:
    answers, one = known(A, B), unit(wait=False)
    [(rendering, _)] = one.evaluate(answers, 0)
    delays = [one.postpone(0, random.Random(1)) for _ in range(9)]
    assert one.deadline == delays[-1]
    assert one.state(rendering) is State.PENDING
    assert 0.5 <= delays[0] <= 1
    assert 30 <= delays[-1] <= 60
    one.notice({A}, 1)
    one.evaluate(answers, 1)
    assert one.deadline == 1
    write(one)
    assert one.state(rendering) is State.CURRENT
    assert one.postpone(0, random.Random(1)) <= 1


def test_a_group_is_due_when_all_of_it_is_complete_after_one_quiescence() -> None:
    specs = tuple(Spec(name, contents=f"{{{{ key('{name}') }}}}", syntax="jinja2", render_group="g") for name in "ab")
    answers, one = known(A), unit(wait=True, specs=specs, group=Group("g", wait=(1.0, 3.0)))
    one.evaluate(answers, 0)
    assert one.deadline is None
    answers.put(B, pair("YQ=="))
    one.notice({B}, 5)
    one.evaluate(answers, 5)
    assert one.deadline == 6
    one.notice({A}, 5.5)
    assert one.deadline is None, "one of them shows the past still"
    one.evaluate(answers, 5.5)
    assert one.deadline == 6.5


@given(st.lists(st.integers(0, 100), min_size=1).map(sorted), st.integers(0, 10), st.integers(0, 50))
def test_quiescence_ends_between_its_minimum_and_its_maximum(ticks: list[int], minimum: int, more: int) -> None:
    quiet = Quiescence(minimum, minimum + more)
    assert quiet.deadline is None
    for tick in ticks:
        quiet.tick(tick)
    assert quiet.deadline is not None
    assert quiet.deadline <= ticks[0] + minimum + more
    assert quiet.deadline in (ticks[-1] + minimum, ticks[0] + minimum + more)
    quiet.reset()
    assert quiet.deadline is None
