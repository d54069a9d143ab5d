"""The snapshot file: what is recorded is replayed, whatever was cut off or damaged in between."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st
from support.gossip import VirtualPool, member, node

from pyconsul.agent.gossip.serf.lamport import MAX_LTIME
from pyconsul.agent.gossip.serf.snapshot import (
    MIN_COMPACT_BYTES,
    Contents,
    Recorder,
    compact_at_bytes,
    rejoin_addresses,
    render,
    replay,
)

NAMES = st.text(min_size=1, max_size=6) | st.sampled_from(["a", "b", "c d", "leave", "clock: 3"])
ADDRESSES = st.sampled_from(["10.0.0.1:8301", "[fe80::1]:8301", "127.0.0.2:7946"])
TIMES = st.integers(0, MAX_LTIME - 1)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("alive"), NAMES, ADDRESSES),
        st.tuples(st.just("not alive"), NAMES),
        st.tuples(st.just("clocks"), TIMES, TIMES, TIMES),
        st.tuples(st.just("compact")),
    )
)

SERF_FILE = """\
alive: foo 127.0.0.1:5000
alive: node with spaces 10.0.0.9:8301
not-alive: foo
alive: six [::1]:8301
clock: 10
event-clock: 20
query-clock: 30
coordinate: {"Vec":[0]}
# a comment
"""


def recorder(contents: Contents | None = None, *, size_bytes: int = 0, rejoin: bool = False) -> Recorder:
    return Recorder(contents or Contents(), size_bytes=size_bytes, rejoin_after_leave=rejoin)


def test_serf_s_own_file_is_read() -> None:
    contents = replay(SERF_FILE, rejoin_after_leave=False)
    assert contents == Contents({"node with spaces": "10.0.0.9:8301", "six": "[::1]:8301"}, 10, 20, 30)


def test_a_file_written_by_debian_s_serf_is_read() -> None:
    """Serf 0.8.2-dev with `-snapshot`, killed by SIGKILL; `py1` was a member of another implementation."""
    text = "alive: real 127.0.0.1:17947\nalive: py1 127.0.0.1:17950\nclock: 1\nclock: 2\nclock: 3\nevent-clock: 1\n"
    contents = replay(text, rejoin_after_leave=False)
    assert contents == Contents({"real": "127.0.0.1:17947", "py1": "127.0.0.1:17950"}, clock=3, event_clock=1)


def test_the_lines_are_serf_s() -> None:
    record = recorder()
    record.alive("web 1", "10.0.0.9:8301")
    record.clocks(clock=4, event_clock=5, query_clock=6)
    record.not_alive("web 1")
    record.leave()
    assert record.take() == (
        "alive: web 1 10.0.0.9:8301\nclock: 4\nevent-clock: 5\nquery-clock: 6\nnot-alive: web 1\nleave\n"
    )
    assert record.take() == ""


@given(STEPS)
def test_what_is_recorded_is_replayed(steps: list[tuple[str, *tuple[object, ...]]]) -> None:
    record, file = recorder(), ""
    for kind, *args in steps:
        if kind == "alive":
            record.alive(*args)  # type: ignore[arg-type]
        elif kind == "not alive":
            record.not_alive(*args)  # type: ignore[arg-type]
        elif kind == "clocks":
            record.clocks(clock=args[0], event_clock=args[1], query_clock=args[2])  # type: ignore[arg-type]
        else:
            file = record.compact()
        file += record.take()
    contents = replay(file, rejoin_after_leave=False)
    assert contents == record.contents
    assert replay("".join(render(contents)), rejoin_after_leave=False) == contents


@given(st.text(alphabet=st.sampled_from("aclivenot-: \n\r0123456789#é.[]")) | st.text())
def test_any_text_is_replayed(text: str) -> None:
    contents = replay(text, rejoin_after_leave=False)
    assert contents.damaged_lines <= text.count("\n") + 1


@given(st.integers(0, len(SERF_FILE)))
def test_a_file_that_is_cut_off_keeps_its_whole_lines(length: int) -> None:
    contents = replay(SERF_FILE[:length], rejoin_after_leave=False)
    whole = SERF_FILE[: SERF_FILE.rfind("\n", 0, length) + 1]
    expected = replay(whole, rejoin_after_leave=False)
    assert (contents.alive, contents.clock) == (expected.alive, expected.clock)
    assert contents.damaged_lines == (len(whole) != length)


def test_damaged_lines_are_skipped_and_counted() -> None:
    damaged = ["alive: nameless", "alive: b 10.0.0.2:99999", "clock: x", "clock: 18446744073709551615", "\0\0"]
    text = "".join(f"{line}\n" for line in ["alive: a 10.0.0.1:8301", *damaged, "clock: 7"])
    assert replay(text, rejoin_after_leave=False) == Contents({"a": "10.0.0.1:8301"}, 7, damaged_lines=5)


def test_a_damaged_file_is_rewritten_before_anything_is_appended() -> None:
    contents = replay("alive: a 10.0.0.1:8301\nclock: 12", rejoin_after_leave=False)
    record = recorder(contents)
    assert record.must_compact
    assert record.compact() == "alive: a 10.0.0.1:8301\nclock: 0\nevent-clock: 0\nquery-clock: 0\n"
    assert not record.must_compact


def test_a_leave_empties_the_file_unless_the_agent_is_to_rejoin() -> None:
    for rejoin, alive in ((False, {}), (True, {"a": "10.0.0.1:8301"})):
        record = recorder(rejoin=rejoin)
        record.alive("a", "10.0.0.1:8301")
        record.leave()
        record.not_alive("a")  # the others seem to leave when this agent leaves
        assert replay(record.take(), rejoin_after_leave=rejoin).alive == alive
        assert replay(record.compact(), rejoin_after_leave=rejoin).alive == alive


def test_a_name_cannot_forge_a_line() -> None:
    record = recorder()
    record.alive("a 10.0.0.1:1\nalive: evil", "10.0.0.66:8301")
    assert record.take() == ""


def test_only_a_large_file_is_compacted() -> None:
    assert compact_at_bytes(10) == MIN_COMPACT_BYTES
    assert compact_at_bytes(10_000) == 2_560_000
    record = recorder(size_bytes=MIN_COMPACT_BYTES - 20)
    record.alive("a", "10.0.0.1:8301")
    assert record.must_compact
    record.compact()
    assert not record.must_compact
    for time in range(1, 12_000):
        record.clocks(clock=time)
    assert record.must_compact


def test_only_rising_clocks_and_new_addresses_make_lines() -> None:
    record = recorder()
    record.alive("a", "10.0.0.1:8301")
    record.clocks(clock=4)
    record.take()
    record.alive("a", "10.0.0.1:8301")
    record.clocks(clock=4, event_clock=0)
    assert record.take() == ""
    record.alive("a", "10.0.0.2:8301")
    assert record.take() == "alive: a 10.0.0.2:8301\n"


def test_what_serf_decides_is_recorded() -> None:
    pool = VirtualPool("me", "b", "c")
    record = recorder()
    record.record(pool["me"].delivered)
    assert record.take() == "alive: me 10.0.0.1:8301\nalive: b 10.0.0.2:8301\nalive: c 10.0.0.3:8301\n"
    serf = pool["me"].serf
    record.record(serf.node_updated(node(member("b", address="fe80::1", port=7946))))
    record.record(serf.node_down("c", 1.0))
    record.record(serf.events.fire("deploy", b"", coalesce=False)[1])
    record.record(serf.queries.ask("uptime", b"", 1.0)[1])
    assert record.take() == "alive: b [fe80::1]:7946\nnot-alive: c\nevent-clock: 1\nquery-clock: 1\n"


def test_an_agent_rejoins_by_the_others_in_random_order() -> None:
    alive = {name: f"10.0.0.{number}:8301" for number, name in enumerate(["me", "b", "c", "d"])}
    orders = {tuple(rejoin_addresses(Contents(alive), "me", random.Random(seed))) for seed in range(50)}
    assert len(orders) == 6
    assert {frozenset(order) for order in orders} == {frozenset(["10.0.0.1:8301", "10.0.0.2:8301", "10.0.0.3:8301"])}
