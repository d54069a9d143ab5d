"""The timeline: what it keeps of changes, since when checks are in their state, and what the overview makes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from pyconsul.agent.events.timeline import KEPT_S, MAX_ENTRIES, OUTPUT_CHARACTERS, Timeline
from pyconsul.agent.model.check import HealthCheck
from pyconsul.agent.model.node import Node
from pyconsul.agent.state.schemas import CHECKS, NODES
from pyconsul.agent.ui.pages import timeline as shown


class State:
    """A state that tells of changes by hand."""

    def __init__(self) -> None:
        self.restored, self.now = 0, 1_000_000.0
        self.observers: dict[str, Callable[[Any, Any], None]] = {}
        self.timeline = Timeline(self, lambda: self.now)

    def observe(self, schema: Any, observer: Callable[[Any, Any], None]) -> None:
        self.observers[schema.name] = observer

    def check(self, old: str, new: str, name: str = "c", output: str = "") -> None:
        def row(status: str) -> HealthCheck | None:
            return replace(CHECK, status=status, check_id=name, name=name, output=output) if status else None

        self.observers[CHECKS.name](row(old), row(new))


CHECK = HealthCheck(
    node="N1", check_id="c", name="c", status="", notes="", output="", service_id="web-1", service_name="web",
    service_tags=[], type="", interval="", timeout="", definition={}, create_index=0, modify_index=0,
)  # fmt: skip


@pytest.fixture
def state() -> State:
    return State()


def test_changes_of_the_state_are_kept_and_others_are_not(state: State) -> None:
    state.check("", "passing")
    state.check("passing", "passing", output="other")
    state.now += 10
    state.check("passing", "critical", output="x" * 1000)
    kept = list(state.timeline.latest())
    assert [(one.before, one.after) for one in kept] == [("passing", "critical"), ("", "passing")]
    assert kept[0].output == "x" * OUTPUT_CHARACTERS
    assert state.timeline.since("n1", "c") == state.now


def test_old_and_surplus_changes_are_dropped(state: State) -> None:
    for number in range(MAX_ENTRIES + 10):
        state.check("", "passing", str(number))
    assert len(list(state.timeline.latest())) == MAX_ENTRIES
    state.now += KEPT_S + 1
    assert list(state.timeline.latest()) == []
    assert state.timeline.since("N1", "5") is not None


def test_a_check_that_is_removed_is_in_no_state(state: State) -> None:
    state.check("", "critical")
    state.check("critical", "")
    assert state.timeline.since("N1", "c") is None
    assert next(iter(state.timeline.latest())).after == ""


def test_a_restore_makes_earlier_knowledge_invalid(state: State) -> None:
    state.check("", "critical")
    state.restored = 7
    assert state.timeline.since("N1", "c") is None
    assert list(state.timeline.latest()) == []
    state.check("passing", "critical")
    assert state.timeline.since("N1", "c") == state.now


def test_nodes_come_and_go(state: State) -> None:
    node = Node("", "n2", "10.0.0.2", "dc1", None, None, 1, 1)
    state.observers[NODES.name](None, node)
    state.observers[NODES.name](node, replace(node, address="10.0.0.3"))
    state.observers[NODES.name](node, None)
    assert [(one.name, one.after) for one in state.timeline.latest()] == [("n2", ""), ("n2", "registered")]


def test_a_flapping_check_is_one_entry(state: State) -> None:
    state.check("", "passing", "calm")
    for _ in range(3):
        state.check("passing", "critical", "wild", "down")
        state.check("critical", "passing", "wild", "down")
    entries = list(shown.entries(list(state.timeline.latest())))
    assert [entry.name for entry in entries] == ["wild", "calm"]
    assert entries[0].count == 6
    assert entries[0].states == ("critical", "passing") * 3
    assert "flapping: 6 changes" in entries[0].text


def test_changes_are_filtered_and_grouped(state: State) -> None:
    state.now = 1_000_000 * shown.GROUP_S
    state.check("", "passing", "first")
    state.now += shown.GROUP_S
    state.check("", "critical", "second", "disk full")
    changes = list(state.timeline.latest())
    groups = shown.grouped(shown.entries(changes))
    assert [[entry.name for entry in group.entries] for group in groups] == [["second"], ["first"]]
    assert groups[1].label == "05:20–05:25"
    assert [one.name for one in shown.chosen(changes, "check", "DISK web")] == ["second"]
    assert shown.chosen(changes, "node", "") == []
