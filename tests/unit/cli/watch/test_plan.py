"""What a watch asks for, and what counts as news."""

from __future__ import annotations

from typing import Any

import pytest

from pyconsul.agent.common.options import parse
from pyconsul.agent.common.watch_plan import Plan, event_index
from pyconsul.cli.commands.watch import COMMANDS
from pyconsul.cli.errors import UsageError
from pyconsul.cli.watch.plan import plan

ENTRY = {"LockIndex": 0, "Key": "a", "Flags": 0, "Value": "MQ==", "CreateIndex": 5, "ModifyIndex": 5}


def make(*words: str) -> Plan:
    return plan(parse(COMMANDS["watch"].flags, words))


@pytest.mark.parametrize(
    ("words", "path", "query"),
    [
        (["-type=key", "-key=a b/c"], "/v1/kv/a%20b/c", {}),
        (["-type=keyprefix", "-prefix=/a/"], "/v1/kv/a/", {"recurse": ""}),
        (["-type=services"], "/v1/catalog/services", {}),
        (["-type=nodes", "-filter=x"], "/v1/catalog/nodes", {"filter": "x"}),
        (["-type=service", "-service=w/b"], "/v1/health/service/w%2Fb", {}),
        (
            ["-type=service", "-service=w", "-tag=t", "-passingonly=1"],
            "/v1/health/service/w",
            {"tag": "t", "passing": "1"},
        ),
        (["-type=service", "-service=w", "-passingonly=false"], "/v1/health/service/w", {}),
        (["-type=checks"], "/v1/health/state/any", {}),
        (["-type=checks", "-state=critical"], "/v1/health/state/critical", {}),
        (["-type=checks", "-service=w"], "/v1/health/checks/w", {}),
        (["-type=event", "-name=e"], "/v1/event/list", {"name": "e"}),
    ],
)
def test_questions(words: list[str], path: str, query: dict[str, str]) -> None:
    wanted = make(*words)
    assert (wanted.path, wanted.question()) == (path, query)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["-type=nothing"],
        ["-type=key"],
        ["-type=keyprefix"],
        ["-type=service"],
        ["-type=services", "-key=a"],
        ["-type=checks", "-service=a", "-state=any"],
        ["-type=service", "-service=a", "-passingonly=perhaps"],
    ],
)
def test_wrong_flags_are_refused(words: list[str]) -> None:
    with pytest.raises(UsageError):
        make(*words)


def test_a_key_has_all_its_fields_in_the_order_handlers_know() -> None:
    news, data = make("-type=key", "-key=a").step(5, [ENTRY])
    assert news
    assert list(data) == ["Key", "CreateIndex", "ModifyIndex", "LockIndex", "Flags", "Value", "Session"]
    assert data["Session"] == ""


def test_the_first_answer_is_news_even_when_there_is_nothing() -> None:
    wanted = make("-type=key", "-key=a")
    assert wanted.step(4, None) == (True, None)
    assert wanted.question() == {"index": "4"}
    assert wanted.step(5, None) == (False, None)
    assert wanted.step(6, [ENTRY])[0]


def test_the_same_index_or_the_same_data_is_no_news() -> None:
    wanted = make("-type=services")
    assert wanted.step(5, {"web": []}) == (True, {"web": []})
    assert wanted.step(5, {"web": ["new"]}) == (False, None)
    assert wanted.step(6, {"web": []}) == (False, None)
    assert wanted.step(7, {}) == (True, {})


def test_an_index_that_goes_backwards_resets_the_watch() -> None:
    wanted = make("-type=services")
    wanted.step(50, {"web": []})
    assert wanted.step(7, {"db": []}) == (True, {"db": []})
    assert "index" not in wanted.question()


def test_after_an_outage_the_data_decides() -> None:
    wanted = make("-type=services")
    wanted.step(5, {"web": []})
    wanted.resume()
    assert "index" not in wanted.question()
    assert wanted.step(5, {"web": []}) == (False, None)
    wanted.resume()
    assert wanted.step(5, {"db": []}) == (True, {"db": []})


def event(digit: str) -> dict[str, Any]:
    return {"ID": f"{digit * 8}-0000-4000-8000-000000000000", "Name": "e"}


def test_only_new_events_are_news() -> None:
    wanted = make("-type=event")
    first, second, third = event("1"), event("2"), event("3")
    assert wanted.step(event_index(second["ID"]), [first, second]) == (True, [first, second])
    assert wanted.question()["index"] == str(event_index(second["ID"]))
    assert wanted.step(event_index(third["ID"]), [first, second, third]) == (True, [third])


def test_event_index() -> None:
    assert event_index("00000000-0000-0001-0000-000000000003") == 2
