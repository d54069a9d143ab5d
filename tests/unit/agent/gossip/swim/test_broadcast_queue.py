"""The queue of broadcasts: order, budget, retransmissions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pyconsul.agent.gossip.swim.broadcast_queue import PART_OVERHEAD, BroadcastQueue
from pyconsul.agent.gossip.wire.messages import UserMessage


def add(queue: BroadcastQueue, data: bytes, key: str = "", token: str = "") -> str:
    return queue.add(UserMessage(data), data, key, token)


def fill(queue: BroadcastQueue, free: int, limit: int = 3) -> list[bytes]:
    return [broadcast.data for broadcast in queue.fill(free, limit, 255)[0]]


def test_the_longest_that_fits_comes_first_then_the_newest() -> None:
    queue = BroadcastQueue()
    for data in (b"old", b"longer", b"new"):
        add(queue, data)
    assert fill(queue, 100) == [b"longer", b"new", b"old"]
    assert fill(queue, 6) == [b"new"]


def test_those_sent_least_often_come_first() -> None:
    queue = BroadcastQueue()
    add(queue, b"a long one")
    fill(queue, 100)
    add(queue, b"short")
    assert fill(queue, 100) == [b"short", b"a long one"]


def test_each_goes_once_into_a_packet() -> None:
    queue = BroadcastQueue()
    add(queue, b"one")
    assert fill(queue, 1000) == [b"one"]


def test_a_key_replaces() -> None:
    queue = BroadcastQueue()
    assert add(queue, b"suspect", "node", "token") == ""
    assert add(queue, b"alive", "node") == "token"
    assert len(queue) == 1
    assert fill(queue, 100) == [b"alive"]


def test_a_finished_broadcast_no_longer_holds_its_key() -> None:
    queue = BroadcastQueue()
    add(queue, b"first", "node")
    assert fill(queue, 100, limit=1) == [b"first"]
    assert not queue
    add(queue, b"second", "node")
    assert fill(queue, 100, limit=1) == [b"second"]


def test_pruning_drops_what_was_sent_most_often() -> None:
    queue = BroadcastQueue()
    add(queue, b"sent", token="sent")
    fill(queue, 100)
    add(queue, b"new")
    assert queue.prune(1) == ["sent"]
    assert fill(queue, 100) == [b"new"]


def test_parts_are_limited() -> None:
    queue = BroadcastQueue()
    for _ in range(300):
        add(queue, b"x")
    assert len(queue.fill(10_000, 3, 255)[0]) == 255
    assert len(queue) == 300


@given(st.lists(st.binary(max_size=60), max_size=40), st.integers(0, 200), st.integers(1, 5))
def test_every_broadcast_that_fits_is_sent_its_number_of_times(messages: list[bytes], free: int, limit: int) -> None:
    queue = BroadcastQueue()
    for data in messages:
        add(queue, data)
    sent: list[bytes] = []
    for _ in range(limit * len(messages) + 1):
        taken = fill(queue, free, limit)
        assert sum(len(data) + PART_OVERHEAD for data in taken) <= free
        sent += taken
    fitting = [data for data in messages if len(data) + PART_OVERHEAD <= free]
    assert sorted(sent) == sorted(fitting * limit)
    assert len(queue) == len(messages) - len(fitting)
