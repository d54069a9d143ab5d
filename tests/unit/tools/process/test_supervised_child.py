"""Child processes: real ones, that tell through pipes what happens to them."""

import asyncio
import os
import random
import signal
import sys
from signal import Signals

import pytest
from support.eventually import one_turn

from pyconsul.agent.common.process.child_process import SpawnError, argv_of, exit_status, group_alive, parse_signal
from pyconsul.agent.common.process.supervised_child import Child


def child(command: str, **options: object) -> tuple[Child, int]:
    """A child of a shell line, and the reading end of its stdout."""
    reading, writing = os.pipe()
    argv = argv_of(command) if options.pop("line", False) else ["sh", "-c", command]
    made = Child(argv, rng=random.Random(1), stdout=writing, **options)  # type: ignore[arg-type]
    return made, reading


async def line(reading: int) -> str:
    """The next line; waits for it without a thought of time."""

    def read() -> str:
        text = b""
        while not text.endswith(b"\n") and (byte := os.read(reading, 1)):
            text += byte
        return text.decode()

    return await asyncio.to_thread(read)


@pytest.mark.parametrize(
    ("name", "sig"),
    [
        ("SIGHUP", Signals.SIGHUP),
        ("sigusr1", Signals.SIGUSR1),
        ("term", Signals.SIGTERM),
        ("", None),
        ("SIGNULL", None),
    ],
)
def test_signal_names(name: str, sig: Signals | None) -> None:
    assert parse_signal(name) == sig


def test_an_unknown_signal() -> None:
    with pytest.raises(ValueError, match="SIGNOPE"):
        parse_signal("SIGNOPE")


@pytest.mark.parametrize(
    ("command", "argv"),
    [
        ("env", ["env"]),
        ("/no/such", ["/no/such"]),
        ("exit 3", ["sh", "-c", "exit 3"]),
        ("a;b", ["sh", "-c", "a;b"]),
        ("A=b", ["sh", "-c", "A=b"]),
        ("$APP", ["sh", "-c", "$APP"]),
        (["echo $x | y"], ["sh", "-c", "echo $x | y"]),
        (["echo", "$x | y"], ["echo", "$x | y"]),
        (["exec", "sh", "x"], ["sh", "x"]),
        ("", []),
        ([], []),
        (" ", []),
    ],
)
def test_commands(command: str | list[str], argv: list[str]) -> None:
    assert argv_of(command) == argv


def test_exit_statuses() -> None:
    assert [exit_status(code) for code in (0, 7, -15, -9)] == [0, 7, 255, 255]


async def test_the_exit_status_is_passed_on() -> None:
    process, _ = child("exit 7")
    await process.start()
    assert await process.wait() == 7
    assert not process.running


async def test_a_child_killed_by_a_signal() -> None:
    process, _ = child("kill -TERM $$")
    await process.start()
    assert await process.wait() == 255


async def test_a_program_that_does_not_exist() -> None:
    with pytest.raises(SpawnError, match="/no/such"):
        await Child(["/no/such"], rng=random.Random(1)).start()


async def test_a_value_that_no_variable_can_have() -> None:
    with pytest.raises(SpawnError):
        await Child(["true"], {"A": "x\0y"}, rng=random.Random(1)).start()


async def test_the_program_is_looked_up_on_our_path() -> None:
    process = Child(["true"], {"PATH": "/nowhere"}, rng=random.Random(1))
    await process.start()
    assert await process.wait() == 0


async def test_signals_of_a_shell_line_reach_its_whole_group() -> None:
    process, out = child(
        "(trap 'echo inner; exit' USR1; echo ready; while :; do sleep 0.01; done) & trap : USR1; wait", line=True
    )
    await process.start()
    assert await line(out) == "ready\n"
    process.signal(Signals.SIGUSR1)
    assert await line(out) == "inner\n"
    await process.stop()


async def test_signals_of_a_program_reach_no_other_process() -> None:
    process, out = child(
        "trap 'echo outer' USR1; sh -c 'trap \"echo inner\" USR1; while :; do sleep 0.01; done' & echo ready; "
        "while :; do sleep 0.01; done"
    )
    await process.start()
    assert await line(out) == "ready\n"
    for _ in range(3):
        process.signal(Signals.SIGUSR1)
        assert await line(out) == "outer\n"
    await process.stop(Signals.SIGTERM)
    assert process.pid is not None
    assert not group_alive(process.pid)
    assert process.ending == "was killed by SIGTERM (143)"


async def test_stop_is_orderly() -> None:
    process, out = child("trap 'echo bye; exit 5' INT; echo ready; while :; do sleep 0.01; done")
    await process.start()
    await line(out)
    assert await process.stop() == 5
    assert await line(out) == "bye\n"
    assert process.pid is not None
    assert not group_alive(process.pid)


async def test_stop_waits_until_a_shell_line_has_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyconsul.agent.common.process.supervised_child.SHELL_START_S", 3600.0)
    process, out = child("echo ready; while :; do sleep 0.01; done", line=True)
    await process.start()
    await line(out)
    stopping = asyncio.create_task(process.stop())
    for _ in range(5):
        await one_turn()
    assert not stopping.done()
    stopping.cancel()
    assert process.running
    monkeypatch.setattr("pyconsul.agent.common.process.supervised_child.SHELL_START_S", 0.0)
    assert await process.stop() == 255


async def test_stop_kills_a_program_that_ignores_signals() -> None:
    process, out = child("trap '' TERM INT; (echo ready; while :; do sleep 0.01; done)")
    await process.start()
    await line(out)
    assert await process.stop(Signals.SIGTERM, 0.05) == 255
    assert process.pid is not None
    assert not group_alive(process.pid)


async def test_stop_ends_processes_that_the_leader_left_behind() -> None:
    process, out = child("trap 'exit 0' TERM; (trap '' TERM; echo ready; while :; do sleep 0.01; done) & wait")
    await process.start()
    await line(out)
    await process.stop(Signals.SIGTERM, 0.1)
    assert process.pid is not None
    assert not group_alive(process.pid)


async def test_stop_before_start() -> None:
    process, _ = child("true")
    assert await process.stop() is None


async def test_wait_continues_through_a_restart() -> None:
    process, out = child("echo $WHICH; exec sleep 30", env={"WHICH": "one", "PATH": os.environ["PATH"]})
    await process.start()
    first = process.pid
    waiting = asyncio.ensure_future(process.wait())
    assert await line(out) == "one\n"
    await process.restart({"WHICH": "two", "PATH": os.environ["PATH"]})
    assert await line(out) == "two\n"
    assert process.pid != first
    assert not waiting.done()
    await process.stop()
    assert await waiting == 255


async def test_reload_by_signal() -> None:
    process, out = child(
        "trap 'echo again' HUP; echo ready; while :; do sleep 0.01; done", reload_signal=Signals.SIGHUP
    )
    await process.start()
    first = process.pid
    await line(out)
    await process.reload()
    assert await line(out) == "again\n"
    assert process.pid == first
    await process.stop()


async def test_reload_without_a_signal_restarts() -> None:
    process, out = child("echo ready; exec sleep 30", splay=0.001)
    await process.start()
    first = process.pid
    await line(out)
    await process.reload()
    assert await line(out) == "ready\n"
    assert process.pid != first
    await process.stop()


_TOOL = """
import asyncio, random, sys
from pyconsul.agent.common.process.supervised_child import Child
async def main():
    child = Child(["sh", "-c", sys.argv[1]], rng=random.Random(), kill_timeout=0.2)
    await child.start()
    await child.wait()
asyncio.run(main())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="PR_SET_PDEATHSIG")
@pytest.mark.parametrize("shell", ["", "trap '' INT TERM HUP; "])
async def test_nothing_outlives_a_killed_tool(shell: str) -> None:
    """The child, its own children, and those that ignore the kill signal end when the tool gets SIGKILL."""
    command = shell + "(echo inner; while :; do sleep 0.01; done) & echo outer; wait; while :; do sleep 0.01; done"
    tool = await asyncio.create_subprocess_exec(sys.executable, "-c", _TOOL, command, stdout=asyncio.subprocess.PIPE)
    assert tool.stdout is not None
    assert {await tool.stdout.readline(), await tool.stdout.readline()} == {b"inner\n", b"outer\n"}
    tool.send_signal(signal.SIGKILL)
    # The group holds the writing end of the pipe: it ends when the last of them has ended.
    assert await tool.stdout.read() == b""
    await tool.wait()
