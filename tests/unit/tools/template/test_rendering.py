"""When a template is evaluated and when its file is due; quiescence."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pyconsul.tools.template import lookups
from pyconsul.tools.template.answers import Answers
from pyconsul.tools.template.evaluate import Evaluator
from pyconsul.tools.template.quiescence import Quiescence
from pyconsul.tools.template.rendering import Rendering
from pyconsul.tools.template.spec import Spec

A, B = lookups.key("a"), lookups.key("b")
SPEC = Spec("out", contents="{{ key('a') }}{{ key('b') }}", wait=(1.0, 3.0))


def pair(value: str) -> object:
    return lookups.key("x").decode([{"Key": "x", "Value": value}])


def rendering(*, wait: bool) -> Rendering:
    return Rendering(SPEC, Evaluator(SPEC, {}), wait=wait)


def test_it_is_evaluated_again_only_when_all_that_was_asked_for_is_known() -> None:
    known, one = Answers(), rendering(wait=False)
    first = one.evaluate(known, 0)
    assert first is not None
    assert first.missing == {A, B}
    known.put(A, pair("YQ=="))
    one.notice({A}, 1)
    assert one.evaluate(known, 1) is None
    known.put(B, pair("Yg=="))
    one.notice({B}, 2)
    assert one.evaluate(known, 2) is not None
    assert one.data == b"ab"
    assert one.deadline == 2
    one.written()
    assert one.deadline is None


def test_other_lookups_do_not_concern_it() -> None:
    known, one = Answers(), rendering(wait=False)
    for key in (A, B):
        known.put(key, pair("YQ=="))
    assert one.evaluate(known, 0) is not None
    one.notice({lookups.key("c")}, 1)
    assert one.evaluate(known, 1) is None


def test_a_key_that_does_not_exist_does_not_hold_up_the_evaluation() -> None:
    known, one = Answers(), rendering(wait=False)
    one.evaluate(known, 0)
    known.put(A, None)
    known.put(B, pair("YQ=="))
    one.notice({A, B}, 1)
    result = one.evaluate(known, 1)
    assert result is not None
    assert result.missing == {A}
    assert one.deadline is None


def test_a_change_while_it_is_due_extends_the_wait() -> None:
    known, one = Answers(), rendering(wait=True)
    for key in (A, B):
        known.put(key, pair("YQ=="))
    one.evaluate(known, 10)
    assert one.deadline == 11
    one.notice({A}, 10.5)
    one.evaluate(known, 10.5)
    assert one.deadline == 11.5


def test_a_refused_text_is_not_due_and_another_one_is() -> None:
    known, one = Answers(), rendering(wait=False)
    for key in (A, B):
        known.put(key, pair("YQ=="))
    one.evaluate(known, 0)
    one.refused()
    assert one.deadline is None
    one.notice({A}, 1)
    one.evaluate(known, 1)
    assert one.deadline == 1


def test_a_failed_write_is_tried_again_later() -> None:
    known, one = Answers(), rendering(wait=False)
    for key in (A, B):
        known.put(key, pair("YQ=="))
    one.evaluate(known, 0)
    one.postpone(0, 5)
    assert one.deadline == 5


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
