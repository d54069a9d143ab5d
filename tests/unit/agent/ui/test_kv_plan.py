"""Changes of several keys: what exactly they are, and how they are divided into transactions."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from pyconsul.agent.config.config import Config
from pyconsul.agent.model.kv import KVEntry
from pyconsul.agent.ui.contract import Outcome, Refused
from pyconsul.agent.ui.pages.kv import exchange
from pyconsul.agent.ui.pages.kv import plan as plan_module
from pyconsul.agent.ui.pages.kv.plan import BATCH, Plan, moved, plan_of, reason_of


def entry(key: str, value: bytes = b"x", index: int = 5) -> KVEntry:
    return KVEntry(0, key, 0, value, index, index)


def facts(plan: Plan) -> list[tuple[str, str, int]]:
    return [(one.kind, one.key, one.index) for one in plan.changes]


def test_a_plan_creates_changes_and_deletes() -> None:
    old = {"a": entry("a"), "b": entry("b"), "c": entry("c", index=7)}
    plan = plan_of({"a": (b"x", 0), "b": (b"y", 0), "n": (b"", 3)}, old, [old["c"]])
    assert facts(plan) == [("~", "b", 5), ("+", "n", 0), ("-", "c", 7)]
    assert plan.unchanged == 1
    assert plan.counts == "1 to create, 1 to change, 1 to delete"
    assert plan.done == "1 created, 1 changed, 1 deleted"


def test_another_state_has_another_mark() -> None:
    one, other = (plan_of({"a": (b"y", 0)}, {"a": entry("a", index=index)}) for index in (5, 6))
    assert one.mark != other.mark
    assert one.mark == plan_of({"a": (b"y", 0)}, {"a": entry("a", index=5)}).mark


def test_moving_deletes_each_key_right_after_its_copy() -> None:
    plan = moved([entry("a/x"), entry("a/y/z")], "a/", "b/", {"b/x": entry("b/x", b"old", 9)}, keep=False)
    assert facts(plan) == [("~", "b/x", 9), ("-", "a/x", 5), ("+", "b/y/z", 0), ("-", "a/y/z", 5)]


def test_copying_keeps_the_keys() -> None:
    plan = moved([entry("a/x")], "a/", "", {"x": entry("x")}, keep=True)
    assert facts(plan) == []
    assert plan.unchanged == 1


def test_moving_a_folder_into_itself_deletes_no_copy() -> None:
    entries = [entry("a/x"), entry("a/a/x", b"y")]
    plan = moved(entries, "a/", "a/a/", {"a/a/x": entries[1]}, keep=False)
    assert sorted(facts(plan)) == [("+", "a/a/a/x", 0), ("-", "a/x", 5), ("~", "a/a/x", 5)]


def test_transactions_have_at_most_64_operations_and_fit_into_a_request() -> None:
    plan = plan_of({f"k{number}": (b"v" * 1000, 0) for number in range(150)}, {})
    assert list(map(len, plan.transactions(1 << 20))) == [BATCH, BATCH, 22]
    assert max(map(len, plan.transactions(16 << 10))) == 10


def test_reasons_name_the_keys() -> None:
    plan = plan_of({"a": (b"", 0)}, {})
    text = '{"Errors": [{"OpIndex": 0, "What": "failed to set key \\"a\\", index is stale"}]}'
    assert reason_of(text, plan.changes) == "a: it has changed meanwhile"
    assert reason_of("No cluster leader", plan.changes) == "No cluster leader"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"[", "not JSON"),
        (b"{}", "not a list"),
        (b'[{"key": "a"}, {}]', "Entry 2 has no key"),
        (b'[{"key": "a", "value": "?"}]', "not base64"),
        (b'[{"key": "a", "flags": -1}]', "flags"),
        (b'[{"key": "a", "flags": true}]', "flags"),
        (b'[{"key": "a", "value": 1}]', "not base64"),
        (b"[" + b" " * exchange.MAX_IMPORTED + b"]", "at most"),
    ],
)
def test_a_bad_import_says_what_is_wrong(data: bytes, reason: str) -> None:
    with pytest.raises(Refused) as caught:
        exchange.parsed(data, "")
    assert reason in caught.value.reason


def test_an_import() -> None:
    rows = b'[{"key": "a", "flags": 42, "value": "AP8="}, {"Key": "b"}]'
    assert exchange.parsed(rows, "p/") == {"p/a": (b"\x00\xff", 42), "p/b": (b"", 0)}


class Agent:
    """Stands for a visit: takes some transactions, and refuses the next one."""

    config = Config()

    def __init__(self, taken: int, answer: str = "No cluster leader") -> None:
        self.taken, self.answer = taken, answer
        self.sent: list[int] = []

    async def send(self, method: str, path: str, body: list[object], *, failed: str) -> None:
        assert (method, path) == ("PUT", "/v1/txn")
        if len(self.sent) == self.taken:
            raise Refused(failed, self.answer, status=500)
        self.sent.append(len(body))


def carry_out(agent: Agent, plan: Plan) -> Outcome:
    return asyncio.run(plan_module.carry_out(cast("Any", agent), plan, "Nothing was done", "/ui/"))


MANY = plan_of({f"k{number:03}": (b"", 0) for number in range(150)}, {})


def test_a_plan_is_carried_out_in_transactions() -> None:
    agent = Agent(9)
    outcome = carry_out(agent, MANY)
    assert agent.sent == [64, 64, 22]
    assert outcome.text == "150 created in 3 transactions."
    assert outcome.failures == ()


def test_what_is_half_done_is_said() -> None:
    outcome = carry_out(Agent(2), MANY)
    assert outcome.text == "Only 128 of 150 changes were made, in 2 of 3 transactions."
    assert outcome.failures == (
        "22 changes were not made: No cluster leader",
        "The first of them: + k128",
    )


def test_nothing_is_done_when_the_first_transaction_fails() -> None:
    with pytest.raises(Refused) as caught:
        carry_out(Agent(0), MANY)
    assert caught.value.title == "Nothing was done"
    assert caught.value.advice == "Nothing was changed."
