"""Guards: when the last good instances stay, how long, and how it ends."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconsul.tools.options.hcl_file import ConfigError
from pyconsul.tools.options.settings import Call, Settings, load_settings, normalize, parse_flags
from pyconsul.tools.template.evaluate.contract import Evaluation
from pyconsul.tools.template.evaluate.evaluator import Evaluator
from pyconsul.tools.template.evaluate.guard import Guard, GuardLimits, Stage, Watched
from pyconsul.tools.template.feed import lookups
from pyconsul.tools.template.feed.answers import Answers
from pyconsul.tools.template.feed.lookups import Lookup
from pyconsul.tools.template.options.guard import GUARD_OPTIONS, SHARE
from pyconsul.tools.template.options.guard_rules import guard_rules
from pyconsul.tools.template.spec import Spec

WEB = Watched(Lookup("service", "web", (("passing", "1"),)))


class Life:
    """One guard with the same limits for all services, and its events as texts."""

    def __init__(self, least: int | None = None, drop: float | None = None, window: float = 300.0) -> None:
        self.guard = Guard(lambda _: GuardLimits(least, drop, window))
        self.said: list[str] = []

    def sees(self, count: int, now: float = 0.0, watched: Watched = WEB) -> int | None:
        """How many are used when Consul has so many; None: the template waits."""
        self.guard.begin(now)
        admitted = self.guard.admit(watched, list(range(count)), now)
        again = self.guard.admit(watched, list(range(count)), now)
        assert again == admitted, "twice in one evaluation is twice the same"
        self.said += [str(event) for event in self.guard.end(complete=admitted is not None)]
        return None if admitted is None else len(admitted)


def test_too_few_are_not_used() -> None:
    life = Life(least=2)
    assert [life.sees(count) for count in (3, 2, 1, 0, 2)] == [3, 2, 2, 2, 2]
    assert life.said == [
        "guard: service web has 1 instance (minimum 2); keeping the last 2 instances",
        "guard: service web has recovered: 2 instances",
    ]


def test_at_the_start_it_waits() -> None:
    life = Life(least=2)
    assert life.sees(1, 5.0) is None
    (hold,) = life.guard.held
    assert (hold.service, hold.now_count, hold.kept_count, hold.since) == ("web", 1, None, 5.0)
    assert str(hold) == "guard: service web has 1 instance (minimum 2); waiting for more"
    assert life.sees(2) == 2
    assert life.guard.held == []


def test_a_drop() -> None:
    life = Life(drop=0.5)
    assert [life.sees(count) for count in (0, 4, 2, 1, 2)] == [0, 4, 2, 2, 2]
    assert life.said[0] == "guard: service web has 1 of 4 instances (max_drop 50%); keeping the last 2 instances"


def test_small_drops_add_up_within_the_window() -> None:
    life = Life(drop=0.3, window=100.0)
    assert [life.sees(count, now) for now, count in enumerate((10, 9, 8, 7, 6))] == [10, 9, 8, 7, 7]


def test_a_slow_decline_is_none() -> None:
    life = Life(drop=0.3, window=100.0)
    used = [life.sees(count, 101.0 * step) for step, count in enumerate((10, 9, 8, 7, 6, 5, 4, 3))]
    assert used == [10, 9, 8, 7, 6, 5, 4, 3]


def test_a_count_is_seen_until_it_changes() -> None:
    life = Life(drop=0.3, window=100.0)
    life.sees(10, 0.0)
    assert life.sees(9, 1000.0) == 9
    assert life.sees(6, 1099.0) == 9, "10 were there until second 1000"


def test_while_it_is_held_the_baseline_does_not_age() -> None:
    life = Life(drop=0.3, window=100.0)
    steps = ((10, 0.0), (2, 10.0), (6, 10_000.0), (7, 20_000.0), (6, 20_050.0), (7, 20_060.0))
    assert [life.sees(*step) for step in steps] == [10, 10, 10, 7, 7, 7]
    # The 10 were there until second 20,000, and 10 seconds of hold do not count.
    assert [life.sees(6, 20_110.0), life.sees(7, 20_110.0), life.sees(6, 20_111.0)] == [7, 7, 6]


def test_counts_older_than_the_window_do_not_count_during_a_hold() -> None:
    life = Life(least=2, drop=0.5, window=100.0)
    for count, now in ((10, 0.0), (6, 1.0), (1, 1000.0)):
        life.sees(count, now)
    assert life.sees(3, 1001.0) == 3


def test_a_release_accepts_the_present_instances() -> None:
    life = Life(least=3, drop=0.5)
    assert [life.sees(5), life.sees(1)] == [5, 5]
    assert life.guard.release("api") == 0
    assert life.guard.release("web") == 1
    assert life.guard.held == []
    assert [life.sees(1), life.sees(0), life.sees(1), life.sees(2)] == [1, 1, 1, 2]
    assert life.said[1] == "guard: service web was released: 1 instance"
    assert [life.sees(6), life.sees(3), life.sees(2)] == [6, 3, 3], "all limits hold again once they were met"


def test_a_release_ends_a_wait_too() -> None:
    life = Life(least=2)
    assert life.sees(0) is None
    assert life.guard.release("w*") == 1
    assert life.sees(0) == 0


def test_different_lookups_have_separate_holds() -> None:
    life = Life(least=1)
    other = Watched(Lookup("service", "web", (("tag", "blue"),)), ("passing", "warning"))
    assert [life.sees(2), life.sees(3, watched=other), life.sees(0, watched=other)] == [2, 3, 3]
    assert [str(hold.watched) for hold in life.guard.held] == ["service web tag=blue status=passing,warning"]


def test_unused_lookups_are_hidden_and_forgotten() -> None:
    life = Life(least=1, window=100.0)
    other = Watched(Lookup("service", "api"))
    life.sees(2, 0.0)
    life.sees(0, 1.0)
    life.sees(1, 2.0, other)
    assert life.guard.held == []
    assert life.sees(0, 50.0) == 2
    life.sees(1, 151.0, other)
    assert life.sees(0, 152.0) is None


def test_it_survives_another_reading_of_the_configuration() -> None:
    old, new = Life(drop=0.5), Life(drop=0.5)
    old.sees(4)
    old.sees(1)
    new.guard.adopt(old.guard)
    assert [hold.kept_count for hold in new.guard.held] == [4]
    assert new.sees(1) == 4
    assert new.said == []
    unlimited = Guard(lambda _: None)
    unlimited.adopt(new.guard)
    assert unlimited.held == []
    assert unlimited.admit(WEB, [], 0.0) == []


@given(
    st.lists(st.tuples(st.integers(0, 12), st.floats(0.0, 80.0)), max_size=40),
    st.integers(0, 4),
    st.floats(0.0, 1.0),
)
def test_lists_in_use_always_satisfy_the_limits(steps: list[tuple[int, float]], least: int, drop: float) -> None:
    life, now, used = Life(least, drop, 100.0), 0.0, [(0.0, 0)]
    for count, pause in steps:
        now += pause
        held = bool(life.guard.held and life.guard.held[0].kept_count is not None)
        result = life.sees(count, now)
        if result is None:
            assert count < least
            continue
        assert result >= least
        used = [*used[:-1], (now, used[-1][1])]  # it was in use until now
        recent = max((n for until, n in used if until >= now - 100.0), default=0)
        assert held or recent - result <= drop * recent + 1e-6
        if result > count:
            assert life.guard.held
        used.append((now, result))


def settings_of(text: dict[str, Any], *flags: str) -> Settings:
    call = parse_flags(GUARD_OPTIONS, list(flags))
    tree = normalize(GUARD_OPTIONS, text, "here")
    return load_settings(GUARD_OPTIONS, Call({**tree, **call.tree}), {})


def test_the_nearer_limit_wins() -> None:
    blocks = [{"service": "web-*", "min_instances": 3}, {"service": "web-2", "max_drop": 0.1, "drop_window": "1m"}]
    settings = settings_of({"guard": blocks}, "-min-instances", "1", "-max-drop", "50%")
    rules = guard_rules(settings, {"max_drop": 0.25})
    assert rules is not None
    assert rules.limits("api") == GuardLimits(1, 0.25, 300.0)
    assert rules.limits("web-1") == GuardLimits(3, 0.25, 300.0)
    assert rules.limits("web-2") == GuardLimits(3, 0.1, 60.0)


def test_without_limits_there_is_no_guard() -> None:
    assert guard_rules(settings_of({}), {"drop_window": 5.0}) is None
    rules = guard_rules(settings_of({"guard": {"service": "web", "min_instances": 1}}), {})
    assert rules is not None
    assert rules.limits("api") is None


@pytest.mark.parametrize("block", [{"min_instances": 1}, {"service": "web"}])
def test_incomplete_blocks(block: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="guard"):
        guard_rules(settings_of({"guard": block}), {})


@pytest.mark.parametrize(("given", "share"), [("50%", 0.5), (0.25, 0.25), ("1", 1.0), ("0%", 0.0), (" 12.5% ", 0.125)])
def test_shares(given: Any, share: float) -> None:
    assert SHARE.convert(given) == share


@pytest.mark.parametrize("bad", ["", "50", "half", "-1%", "101%", True, "nan", "%"])
def test_invalid_shares(bad: Any) -> None:
    with pytest.raises(ValueError, match="use a percentage, such as 50%"):
        SHARE.convert(bad)


def health(*ports: int) -> list[dict[str, Any]]:
    return [
        {
            "Node": {"ID": "i", "Node": "n1", "Address": "10.0.0.1", "Datacenter": "dc1", "Meta": {}},
            "Service": {"ID": f"web{port}", "Service": "web", "Port": port, "Tags": [], "Meta": {}},
            "Checks": [{"Status": "passing"}],
        }
        for port in ports
    ]


TEXTS = {
    "jinja2": "{% for s in service('web') %}{{ s.port }} {% endfor %}/{{ service('web') | length }}",
    "go": '{{ range service "web" }}{{ .Port }} {{ end }}/{{ len (service "web") }}',
}


@pytest.mark.parametrize("syntax", ["jinja2", "go"])
def test_both_syntaxes(syntax: str) -> None:
    guard = Guard(lambda _: GuardLimits(min_instances=2))
    evaluator = Evaluator(Spec("out", contents=TEXTS[syntax], syntax=syntax), {}, guard)
    answers, lookup = Answers(), lookups.service("web")[0]

    def evaluate(*ports: int) -> Evaluation:
        answers.put(lookup, lookup.decode(health(*ports)))
        return evaluator.evaluate(answers, 7.0)

    assert evaluator.evaluate(answers).missing == {lookup}
    assert guard.held == [], "no answer is no empty answer"
    waits = evaluate(1)
    assert (waits.complete, waits.missing) == (False, {lookup})
    assert [str(event) for event in waits.guarded] == [
        "guard: service web has 1 instance (minimum 2); waiting for more"
    ]
    assert evaluate(1, 2, 3).text == "1 2 3 /3"
    held = evaluate()
    assert (held.text, held.complete) == ("1 2 3 /3", True)
    assert [event.stage for event in held.guarded] == [Stage.BEGAN]
    assert evaluate(4).guarded == ()
    assert guard.release("web") == 1
    assert evaluate(4).text == "4 /1"
    assert evaluate(5, 6).text == "5 6 /2"
    other = guard.fresh()
    assert not evaluator.evaluate_with(answers, 7.0, other, {}).guarded


def test_without_a_guard_nothing_is_in_the_way() -> None:
    evaluator = Evaluator(Spec("out", contents=TEXTS["go"], syntax="go"), {})
    answers, lookup = Answers(), lookups.service("web")[0]
    answers.put(lookup, lookup.decode(health()))
    assert evaluator.evaluate(answers).text == "/0"


def test_the_list_in_use_is_the_held_one() -> None:
    lookup = lookups.service("web")[0]
    guard = Guard(lambda name: GuardLimits(min_instances=1))
    guard.begin(0.0)
    guard.admit(Watched(lookup), ["one"], 0.0)
    guard.end(complete=True)
    assert guard.in_use(lookup, ["one"]) == ["one"]
    guard.begin(1.0)
    guard.admit(Watched(lookup), [], 1.0)
    guard.end(complete=True)
    assert guard.in_use(lookup, []) == ["one"]
    guard.release("web")
    assert guard.in_use(lookup, []) == []
