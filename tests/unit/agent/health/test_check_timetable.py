"""The deadlines of checks, against a plain dictionary."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pyconsul.agent.health.timetable import Timetable
from pyconsul.agent.health.ttl import TTLState, limit_report

steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from("abc"), st.integers(0, 20)),
        st.tuples(st.just("remove"), st.sampled_from("abc"), st.just(0)),
        st.tuples(st.just("pop"), st.just(""), st.integers(0, 20)),
    ),
    max_size=300,
)


@settings(deadline=None)
@given(steps)
def test_like_a_dictionary(actions: list[tuple[str, str, int]]) -> None:
    table, model = Timetable(), dict[str, float]()
    for action, key, when in actions:
        if action == "put":
            table.put(key, when)
            model[key] = when
        elif action == "remove":
            table.remove(key)
            model.pop(key, None)
        else:
            due = sorted((due, name) for name, due in model.items() if due <= when)
            assert table.pop_due(when) == [name for _, name in due]
            for _, name in due:
                del model[name]
        assert len(table) == len(model)
        assert table.next_due() == min(model.values(), default=None)


def test_entries_that_were_replaced_do_not_pile_up() -> None:
    table = Timetable()
    for when in range(10_000):
        table.put("ttl", when)
    assert len(table._heap) < 200
    assert table.pop_due(10_000) == ["ttl"]


def test_a_report_starts_the_time_again() -> None:
    state = TTLState(10, now=100)
    assert state.deadline == 110
    state.report("fine", now=105)
    assert state.deadline == 115


def test_the_output_of_an_expired_ttl() -> None:
    state = TTLState(10, now=0)
    assert state.expired_output() == "TTL expired"
    state.report("fine", now=1)
    assert state.expired_output() == "TTL expired (last output before timeout follows): fine"
    state.report("", now=2)
    assert state.expired_output() == "TTL expired"


def test_long_reports_are_cut() -> None:
    assert limit_report("0123456789", 10) == "0123456789"
    assert limit_report("0123456789x", 10) == "0123456789 ... (captured 10 of 11 bytes)"
