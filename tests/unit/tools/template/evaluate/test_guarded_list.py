"""Services that leave the catalog whole: which stay in a list, with their instances, how long, and what is said."""

from __future__ import annotations

from typing import Any

import pytest

from pyconsul.tools.template.evaluate.contract import Evaluation
from pyconsul.tools.template.evaluate.evaluator import Evaluator
from pyconsul.tools.template.evaluate.guard import Guard, GuardEvent, GuardLimits, Watched
from pyconsul.tools.template.feed import lookups
from pyconsul.tools.template.feed.answers import Answers
from pyconsul.tools.template.spec import Spec

LIST = lookups.services()


def watched(name: str, **place: str) -> Watched:
    return Watched(*lookups.service(name, **place))


class Loop:
    """A template that loops over all services; `asks`: for their instances, too."""

    def __init__(self, least: int | None = None, drop: float | None = None, *, asks: bool = True) -> None:
        self.guard = Guard(lambda name: None if name == "free" else GuardLimits(least, drop, 100.0))
        self.asks = asks
        self.said: list[GuardEvent] = []

    def sees(self, now: float = 0.0, *, complete: bool = True, dc: str = "", **counts: int | None) -> dict[str, int]:
        """What is used when Consul has so many instances; None: it does not list the service."""
        guard, lookup = self.guard, lookups.services(dc=dc)
        found = lookup.decode({name: [f"tag{count}"] for name, count in counts.items() if count is not None})
        guard.begin(now)
        listed = guard.admit_list(lookup, found, now)
        assert guard.admit_list(lookup, found, now) is listed
        assert [one.Name for one in listed] == sorted(one.Name for one in listed)
        used = {one.Name: 0 for one in listed}
        for name in used:
            if self.asks:
                instances = guard.admit(watched(name, dc=dc), list(range(counts.get(name) or 0)), now)
                complete = complete and instances is not None
                used[name] = len(instances or ())
        self.said += guard.end(complete=complete)
        return used

    def ignores(self, now: float) -> None:
        """It is evaluated, and asks for nothing."""
        self.guard.begin(now)
        self.guard.end(complete=True)

    @property
    def loud(self) -> list[str]:
        return [str(event) for event in self.said if not event.quiet]

    @property
    def held(self) -> list[str]:
        return [str(hold) for hold in self.guard.held]


@pytest.mark.parametrize("limits", [{"least": 1}, {"least": 3}, {"drop": 0.5}, {"drop": 0.0, "least": 0}])
def test_a_service_that_leaves_stays_with_its_instances(limits: dict[str, Any]) -> None:
    loop = Loop(**limits)
    assert loop.sees(api=3, web=4) == {"api": 3, "web": 4}
    assert loop.sees(api=3) == {"api": 3, "web": 4}
    assert [hold.service for hold in loop.guard.held] == ["web", "web"]
    assert loop.sees(api=3, web=4) == {"api": 3, "web": 4}
    assert loop.held == []


@pytest.mark.parametrize("limits", [{}, {"least": 0}, {"drop": 1.0}])
def test_limits_that_object_to_nothing_hold_nothing(limits: dict[str, Any]) -> None:
    loop = Loop(**limits)
    loop.sees(api=1, web=2)
    assert loop.sees(api=1) == {"api": 1}


def test_services_without_a_guard_or_never_listed_leave() -> None:
    loop = Loop(least=1)
    loop.sees(free=1, web=1)
    assert loop.sees() == {"web": 1}
    other = Loop(least=1)
    assert other.sees(api=1) == {"api": 1}


def test_only_services_of_a_complete_evaluation_are_kept() -> None:
    loop = Loop(least=2)
    assert loop.sees(api=2, web=1) == {"api": 2, "web": 0}, "it waits for web"
    assert loop.sees(api=2) == {"api": 2}
    assert loop.sees(api=2, late=2, complete=False) == {"api": 2, "late": 2}
    assert loop.sees(api=2) == {"api": 2}


def test_holds_stay_while_the_template_is_incomplete() -> None:
    loop = Loop(least=1)
    loop.sees(web=1)
    for _ in range(2):
        assert loop.sees(complete=False) == {"web": 1}
    assert len(loop.said) == 2


def test_its_last_tags_stay() -> None:
    guard = Loop(least=1).guard
    for body, tags in (({"web": ["a"]}, ["a"]), ({"web": ["b", "c"]}, ["b", "c"]), ({}, ["b", "c"])):
        guard.begin(0.0)
        assert guard.admit_list(LIST, LIST.decode(body), 0.0)[0].Tags == tags
        guard.end(complete=True)


@pytest.mark.parametrize("steps", [[None], [0, None]], ids=["together", "instances first"])
def test_one_accident_is_one_loud_event(steps: list[int | None]) -> None:
    loop = Loop(least=1)
    loop.sees(web=2)
    for count in steps:
        loop.sees(web=count)
    first = "guard: listed service web has no instances; keeping it in the list"
    other = "guard: service web has 0 instances (minimum 1); keeping the last 2 instances"
    assert sorted(map(str, loop.said)) == [first, other]
    assert loop.loud == [first if len(steps) == 1 else other]
    loop.said.clear()
    loop.sees(web=2)
    assert len(loop.said) == 2
    assert loop.loud == ["guard: service web has recovered: 2 instances"]


def test_the_list_that_hears_of_it_first() -> None:
    loop = Loop(least=1)
    loop.sees(web=2)
    loop.guard.begin(0.0)
    loop.guard.admit_list(LIST, LIST.decode({}), 0.0)
    assert loop.guard.admit(watched("web"), [1, 2], 0.0) == [1, 2]
    loop.said += loop.guard.end(complete=True)
    loop.sees()
    assert len(loop.said) == 2
    assert loop.loud == ["guard: listed service web has no instances; keeping it in the list"]


@pytest.mark.parametrize("asks", [True, False])
def test_a_release_ends_both(asks: bool) -> None:
    loop = Loop(least=1, asks=asks)
    loop.sees(api=1, web=2, web2=1)
    loop.sees(api=1)
    assert loop.guard.release("other") == 0
    loop.said.clear()
    assert loop.guard.release("web*") == (4 if asks else 2)
    assert loop.held == []
    assert list(loop.sees(api=1)) == ["api"]
    kind = "guard: service web was released: 0 instances" if asks else "guard: listed service web was released"
    assert kind in loop.loud
    assert len(loop.loud) == 2
    assert loop.sees(api=1, web=1)["web"] == int(asks), "it is a service as any other again"
    assert list(loop.sees(api=1)) == ["api", "web"]


def test_services_that_may_be_empty_may_leave() -> None:
    loop = Loop(least=1)
    loop.sees(web=2)
    assert loop.sees(web=0) == {"web": 2}
    loop.guard.release("web")
    assert loop.sees(web=0) == {"web": 0}
    assert loop.sees() == {}
    drop = Loop(drop=0.5)
    assert drop.sees(web=0) == {"web": 0}
    assert drop.sees() == {}


def test_it_survives_another_reading_of_the_configuration() -> None:
    old, new = Loop(least=1), Loop(least=1)
    old.sees(api=1, web=2)
    old.sees(api=1)
    new.guard.adopt(old.guard)
    assert new.held == old.held
    assert new.sees(api=1) == {"api": 1, "web": 2}
    assert new.said == []
    assert new.sees() == {"api": 1, "web": 2}
    assert old.held != new.held
    lax = Loop(drop=1.0)
    lax.guard.adopt(new.guard)
    assert not any("listed" in hold for hold in lax.held)
    assert lax.sees(api=1) == {"api": 1}


def test_unused_lookups_are_hidden_and_forgotten() -> None:
    loop = Loop(least=1)
    loop.sees(0.0, web=1, free=1)
    loop.sees(1.0)
    loop.ignores(2.0)
    assert loop.held == []
    assert loop.sees(50.0) == {"web": 1}
    loop.ignores(151.0)
    assert loop.sees(152.0) == {}


def test_datacenters_are_held_apart() -> None:
    loop = Loop(least=1)
    loop.sees(web=1)
    loop.sees(dc="dc2", web=2)
    assert loop.sees(dc="dc2") == {"web": 2}
    assert loop.held[0] == "guard: listed service web dc=dc2 has no instances; keeping it in the list"
    assert loop.sees(web=1) == {"web": 1}
    assert loop.held == []
    assert loop.sees() == {"web": 1}
    assert len(loop.loud) == 2, "the other datacenter's is another accident"


TEXTS = {
    "jinja2": "{% for s in services() %}{{ s.name }}{{ s.tags|join }}={{ service(s.name)|length }} {% endfor %}",
    "go": '{{ range services }}{{ .Name }}{{ join "" .Tags }}={{ len (service .Name) }} {{ end }}',
}


@pytest.mark.parametrize("syntax", ["jinja2", "go"])
def test_both_syntaxes(syntax: str) -> None:
    guard = Guard(lambda _: GuardLimits(min_instances=1))
    evaluator = Evaluator(Spec("out", contents=TEXTS[syntax], syntax=syntax), {}, guard)
    answers = Answers()

    def evaluate(**counts: int) -> Evaluation:
        answers.put(LIST, LIST.decode({name: ["v1"] for name in counts}))
        for name in ("api", "web"):
            node, lookup = {"Node": "n", "Address": "10.0.0.1"}, watched(name).lookup
            found = [{"Node": node, "Service": {"ID": f"{name}{number}"}} for number in range(counts.get(name, 0))]
            answers.put(lookup, lookup.decode(found))
        return evaluator.evaluate(answers, 7.0)

    assert evaluator.evaluate(answers).missing == {LIST}
    assert evaluate(api=1, web=2).text == "apiv1=1 webv1=2 "
    assert evaluate(api=1).text == "apiv1=1 webv1=2 "
    assert guard.release("web") == 2
    assert evaluate(api=1).text == "apiv1=1 "
