"""The scheduler: who runs when, and what is told of it."""

from __future__ import annotations

import asyncio
import logging
import resource
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from random import Random

import pytest
from support.eventually import one_turn

from pyconsul.agent.common.go.durations import SECOND_NS
from pyconsul.agent.health.alias import AliasView
from pyconsul.agent.health.definition import CheckDefinition, check_type
from pyconsul.agent.health.runners import scheduler as scheduler_module
from pyconsul.agent.health.runners.scheduler import CheckScheduler
from pyconsul.agent.model.check import HealthCheck

Told = tuple[str, str, str]


class AtOnce(Random):
    """The first run of every check is now."""

    def random(self) -> float:
        return 0.0


class Ledger:
    """What was told, and a way to wait for it."""

    def __init__(self) -> None:
        self.all: list[Told] = []
        self.changed = asyncio.Event()

    def __call__(self, key: str, status: str, output: str) -> None:
        self.all.append((key, status, output))
        self.changed.set()

    async def until(self, condition: Callable[[list[Told]], bool]) -> None:
        async with asyncio.timeout(30):
            while not condition(self.all):
                self.changed.clear()
                await self.changed.wait()

    def of(self, key: str) -> list[tuple[str, str]]:
        return [(status, output) for name, status, output in self.all if name == key]


@pytest.fixture
def told() -> Ledger:
    return Ledger()


@pytest.fixture
async def scheduler(told: Ledger) -> AsyncIterator[CheckScheduler]:
    checks = CheckScheduler(told, AtOnce())
    yield checks
    await checks.stop()


def script(text: str, **fields: int) -> CheckDefinition:
    return CheckDefinition(name="x", script_args=["sh", "-c", text], interval=SECOND_NS, **fields)


async def test_a_check_is_run_again_and_again(scheduler: CheckScheduler, told: Ledger) -> None:
    scheduler.add("a", script("echo hi"))
    await told.until(lambda all_: len(all_) == 2)
    assert told.of("a") == [("passing", "hi\n")] * 2


async def test_a_check_that_hangs_delays_no_other(scheduler: CheckScheduler, told: Ledger) -> None:
    scheduler.add("hangs", script("sleep 300"))
    scheduler.add("other", script("true"))
    await told.until(lambda all_: len(all_) == 2)
    assert told.of("hangs") == []
    assert len(told.of("other")) == 2


async def test_a_removed_check_is_not_heard_of_again(scheduler: CheckScheduler, told: Ledger) -> None:
    scheduler.add("a", script("true"))
    scheduler.add("b", script("true"))
    scheduler.remove("a")
    await told.until(lambda all_: len(all_) == 2)
    assert told.of("a") == []
    assert "a" not in scheduler


async def test_a_replaced_check_is_the_new_one(scheduler: CheckScheduler, told: Ledger) -> None:
    scheduler.add("a", script("echo old"))
    scheduler.add("a", script("echo new"))
    await told.until(lambda all_: len(all_) == 1)
    assert told.of("a") == [("passing", "new\n")]


async def test_a_check_of_another_kind_runs_beside_the_one_that_it_replaces(
    scheduler: CheckScheduler, told: Ledger
) -> None:
    """As recorded from Consul; the end of the check ends both."""
    scheduler.add("a", script("echo polled"))
    scheduler.add("a", CheckDefinition(id="a", name="a", ttl=3600 * SECOND_NS))
    scheduler.ttl_update("a", "warning", "reported")
    await told.until(lambda all_: len(all_) == 2)
    assert told.of("a") == [("warning", "reported"), ("passing", "polled\n")]
    scheduler.remove("a")
    assert "a" not in scheduler
    assert not scheduler.is_ttl("a")
    assert (scheduler._entries, len(scheduler._timetable)) == ({}, 0)


async def test_an_unchanged_check_keeps_its_counters(scheduler: CheckScheduler, told: Ledger) -> None:
    definition = script("exit 2", failures_before_critical=3)
    scheduler.add("a", definition)
    entry = scheduler._entries[("a", "script")]
    scheduler.add("a", script("exit 2", failures_before_critical=3))
    assert scheduler._entries[("a", "script")] is entry
    scheduler.add("a", script("exit 2", failures_before_critical=2))
    assert scheduler._entries[("a", "script")] is not entry


async def test_stopping_ends_running_checks(told: Ledger) -> None:
    scheduler = CheckScheduler(told, AtOnce())
    scheduler.add("hangs", script("echo x; sleep 300"))
    scheduler.add("done", script("true"))
    await told.until(lambda all_: len(all_) == 1)
    async with asyncio.timeout(30):
        await scheduler.stop()
    assert told.of("hangs") == []
    assert not scheduler._tasks
    assert scheduler._running == {False: 0, True: 0}


async def test_a_ttl_expires_and_comes_back(scheduler: CheckScheduler, told: Ledger) -> None:
    scheduler.add("job", CheckDefinition(ttl=SECOND_NS // 20))
    assert scheduler.is_ttl("job")
    await told.until(lambda all_: len(all_) == 1)
    assert scheduler.ttl_update("job", "warning", "slow") == "slow"
    await told.until(lambda all_: len(all_) == 3)
    assert told.of("job") == [
        ("critical", "TTL expired"),
        ("warning", "slow"),
        ("critical", "TTL expired (last output before timeout follows): slow"),
    ]


async def test_thresholds_do_not_count_for_a_ttl(scheduler: CheckScheduler, told: Ledger) -> None:
    scheduler.add("job", CheckDefinition(ttl=60 * SECOND_NS, success_before_passing=3, output_max_size=4))
    kept = scheduler.ttl_update("job", "passing", "0123456")
    assert told.of("job") == [("passing", kept)] == [("passing", "0123 ... (captured 4 of 7 bytes)")]


async def test_only_a_ttl_check_can_be_updated(scheduler: CheckScheduler) -> None:
    scheduler.add("a", script("true"))
    assert not scheduler.is_ttl("a")
    for key in ("a", "nosuch"):
        with pytest.raises(KeyError):
            scheduler.ttl_update(key, "passing", "")


async def test_an_exception_of_the_listener_stops_nothing(told: Ledger) -> None:
    def listener(key: str, status: str, output: str) -> None:
        told(key, status, output)
        raise RuntimeError("no")

    scheduler = CheckScheduler(listener, AtOnce())
    scheduler.add("a", script("true"))
    await told.until(lambda all_: len(all_) == 2)
    await scheduler.stop()


class Views:
    """The same view for every alias check."""

    def __init__(self, view: Callable[[], AliasView]) -> None:
        self._view = view

    def local(self, service_id: str, key: str) -> AliasView:
        return self._view()

    async def remote(self, node: str, service_id: str, key: str) -> AliasView:
        return self._view()


def row(status: str, output: str) -> HealthCheck:
    return HealthCheck("n1", "db-ttl", "db ttl", status, "", output, "db", "db", None, "ttl", "", "", {}, 1, 1)


async def test_an_alias_follows_a_check_of_this_agent(told: Ledger) -> None:
    rows: dict[str, HealthCheck] = {}

    def notify(key: str, status: str, output: str) -> None:
        if key == "db-ttl":
            rows[key] = row(status, output)
        told(key, status, output)

    views = Views(lambda: AliasView(rows.values(), True))
    scheduler = CheckScheduler(notify, AtOnce(), alias_views=views)
    scheduler.add("alias", CheckDefinition(alias_service="db", service_id="web"))
    await told.until(lambda all_: len(all_) == 1)
    scheduler.add("db-ttl", CheckDefinition(ttl=60 * SECOND_NS, service_id="db"))
    scheduler.ttl_update("db-ttl", "warning", "hm")
    await told.until(lambda all_: len(told.of("alias")) == 2)
    scheduler.ttl_update("db-ttl", "passing", "")
    await told.until(lambda all_: len(told.of("alias")) == 3)
    await scheduler.stop()
    assert told.of("alias") == [
        ("passing", "No checks found."),
        ("warning", 'Aliased check "db ttl" failing: hm'),
        ("passing", "All checks passing."),
    ]


async def test_an_alias_keeps_its_status_while_the_catalog_cannot_be_read(
    told: Ledger, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler_module, "REMOTE_ALIAS_INTERVAL_S", 0.0)
    found: list[AliasView | OSError] = [AliasView((), True), OSError("no server"), OSError("no server")]

    def view() -> AliasView:
        first = found.pop(0) if found else AliasView((), False)
        if isinstance(first, OSError):
            raise first
        return first

    scheduler = CheckScheduler(told, AtOnce(), alias_views=Views(view))
    scheduler.add("alias", CheckDefinition(alias_node="far", alias_service="db"))
    await told.until(lambda all_: len(all_) == 2)
    await scheduler.stop()
    assert [status for status, _ in told.of("alias")] == ["passing", "critical"]
    assert caplog.text.count("error=no server") == 1


async def test_an_alias_of_another_node_is_evaluated_on_a_refresh(told: Ledger) -> None:
    exists = [False]
    scheduler = CheckScheduler(told, AtOnce(), alias_views=Views(lambda: AliasView((), exists[0])))
    scheduler.add("alias", CheckDefinition(alias_node="far", alias_service="db"))
    await told.until(lambda all_: len(all_) == 1)
    exists[0] = True
    scheduler.refresh_aliases("far")
    await told.until(lambda all_: len(all_) == 2)
    await scheduler.stop()
    assert told.of("alias") == [
        ("critical", "Service db could not be found on node far"),
        ("passing", "No checks found."),
    ]


async def test_first_runs_are_spread_over_the_interval(told: Ledger) -> None:
    scheduler = CheckScheduler(told, Random(1))
    now = asyncio.get_running_loop().time()
    for number in range(1000):
        scheduler.add(str(number), CheckDefinition(tcp="127.0.0.1:1", interval=3600 * SECOND_NS))
    offsets = sorted(due - now for due in scheduler._timetable._due.values())
    await scheduler.stop()
    assert 0 <= offsets[0] < 60
    assert 3500 < offsets[-1] < 3700
    assert 1600 < offsets[500] < 2000


def logged(caplog: pytest.LogCaptureFixture) -> list[tuple[str, dict[str, str]]]:
    return [(record.getMessage(), getattr(record, "fields", {})) for record in caplog.records]


async def test_a_check_that_fails_from_the_start_is_logged_once_with_its_error(
    scheduler: CheckScheduler, told: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "agent.checks")
    scheduler.add("a", script("echo 'no such   table at http://me:secret@db/'; exit 2"), "critical")
    await told.until(lambda all_: len(all_) == 2)
    error = "no such table at http://***@db/"
    assert logged(caplog) == [("Check is now critical", {"check": "a", "error": error})]


async def test_a_failure_below_the_threshold_is_logged_once(
    scheduler: CheckScheduler, told: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "agent.checks")
    definition = script("exit 2", failures_before_critical=3, failures_before_warning=3)
    scheduler.add("a", definition, "passing")
    scheduler._entries[("a", "script")].thresholds.status_after("passing")
    await told.until(lambda all_: len(all_) == 1)
    assert [text for text, _ in logged(caplog)] == [
        "Check failed, status unchanged: passing",
        "Check is now critical",
    ]


@pytest.mark.parametrize(
    "definition",
    [
        CheckDefinition(name="tcp", tcp="127.0.0.1:1", interval=SECOND_NS),
        CheckDefinition(name="name", tcp="localhost.invalid:1", interval=SECOND_NS),
        CheckDefinition(name="udp", udp="127.0.0.1:1", interval=SECOND_NS),
        CheckDefinition(name="http", http="http://127.0.0.1:1/", interval=SECOND_NS),
        CheckDefinition(name="grpc", grpc="127.0.0.1:1", interval=SECOND_NS),
        CheckDefinition(name="docker", docker_container_id="a", script_args=["true"], interval=SECOND_NS),
        script("exit 2"),
    ],
    ids=lambda definition: definition.name,
)
async def test_without_descriptors_a_check_keeps_its_status(
    scheduler: CheckScheduler, told: Ledger, caplog: pytest.LogCaptureFixture, definition: CheckDefinition
) -> None:
    await scheduler._runners.run("tcp", CheckDefinition(tcp="127.0.0.1:1"))  # the loop has opened what it needs
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        scheduler.add("a", definition, "passing")
        monitor = ("a", check_type(definition))
        entry = scheduler._entries[monitor]
        for _ in range(2):
            scheduler._timetable.put(monitor, 0.0)
            scheduler._wake()
            assert entry.run is not None
            await entry.run
            await one_turn()  # for the run's callback
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert told.all == []
    texts = [text for text, _ in logged(caplog)]
    assert len(texts) == 1
    assert texts[0].startswith("checks cannot be run and keep their last status: error=too many open files")
    scheduler._timetable.put(monitor, 0.0)
    scheduler._wake()
    await told.until(lambda all_: len(all_) == 1)
    assert told.of("a")[0][0] == "critical"


async def test_every_run_is_recorded_even_below_a_threshold(told: Ledger, tmp_path: Path) -> None:
    recorded = Ledger()
    checks = CheckScheduler(told, AtOnce(), record=recorded)
    checks.add("reported", CheckDefinition(ttl=3600 * SECOND_NS))
    checks.ttl_update("reported", "warning", "late")
    passes_once = ["sh", "-c", f"mkdir {tmp_path}/made 2>&- || exit 2"]
    checks.add("run", CheckDefinition(script_args=passes_once, interval=SECOND_NS, failures_before_critical=9))
    await recorded.until(lambda results: len(results) >= 3)
    await checks.stop()
    assert recorded.of("reported") == [("warning", "late")]
    assert [status for status, _ in recorded.of("run")] == ["passing", "critical"]
    assert [status for status, _ in told.of("run")] == ["passing"]
