"""pyenvconsul with a real agent and real programs. What a program does is read from its pipe: no time decides."""

from __future__ import annotations

import ctypes
import json
import os
import pty
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.eventually import PATIENCE, eventually
from support.tool_agent import ToolAgent as Agent

BIN = Path(sys.executable).parent


class Tool:
    """A running pyenvconsul, whose stdout is read line by line."""

    def __init__(self, agent: Agent | None, *arguments: str, **environ: str) -> None:
        address = {"CONSUL_HTTP_ADDR": agent.address} if agent else {}
        self.process = subprocess.Popen(
            [str(BIN / "pyenvconsul"), *arguments],
            env={"PATH": os.environ["PATH"], **address, **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def end(self, sig: int | None = None) -> tuple[int, str, str]:
        """Exit status, the rest of stdout, and stderr."""
        if sig is not None:
            self.process.send_signal(sig)
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out, err


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    running = Agent(tmp_path_factory.mktemp("agent"))
    yield running
    running.stop()


@pytest.fixture
def run() -> Iterator[Callable[..., Tool]]:
    tools: list[Tool] = []

    def start(*arguments: object, **environ: str) -> Tool:
        tools.append(Tool(*arguments, **environ))  # type: ignore[arg-type]
        return tools[-1]

    yield start
    for tool in tools:
        if tool.process.poll() is None:
            tool.end(signal.SIGINT)


Run = Callable[..., Tool]
LOOP = "while :; do sleep 0.01; done"


def test_keys_become_variables(agent: Agent, run: Run) -> None:
    agent.put("global/config/debug", "true")
    agent.put("global/config/db/host", "a b")
    tool = run(agent, "-once", "-pristine", "-upcase", "-sanitize", "-prefix", "global/config", "env")
    status, out, _ = tool.end()
    assert (status, sorted(out.splitlines())) == (0, ["DB_HOST=a b", "DEBUG=true"])


def test_a_prefix_with_a_slash_is_a_folder(agent: Agent, run: Run) -> None:
    agent.put("part/a", "1")
    agent.put("part2/b", "2")
    assert run(agent, "-once", "-pristine", "-prefix", "part/", "env").end()[:2] == (0, "a=1\n")
    everything = run(agent, "-once", "-pristine", "-prefix", "part", "env").end()[1]
    assert sorted(everything.splitlines()) == ["2/b=2", "a=1"]


def test_several_words_need_no_shell(agent: Agent, run: Run) -> None:
    tool = run(agent, "-once", "sh", "-c", 'printf "%s|" "$@"', "x", "a b", "$HOME;", "*")
    assert tool.end()[:2] == (0, "a b|$HOME;|*|")


def test_a_change_starts_the_program_again(agent: Agent, run: Run) -> None:
    agent.put("live/a", "one")
    tool = run(agent, "-prefix", "live", f"echo $a; {LOOP}")
    assert tool.line() == "one"
    agent.put("live/a", "two")
    assert tool.line() == "two"
    agent.put("other/a", "x")
    agent.put("live/a", "three")
    assert tool.line() == "three"
    status, out, err = tool.end(signal.SIGINT)
    assert (status, out) == (12, "")
    assert "Cleaning up" in err


def test_once_starts_it_never_again(agent: Agent, run: Run) -> None:
    agent.put("still/a", "one")
    tool = run(agent, "-once", "-prefix", "still", f"trap 'echo end; exit 3' USR1; echo $a; {LOOP}")
    assert tool.line() == "one"
    agent.put("still/a", "two")
    assert tool.end(signal.SIGUSR1)[:2] == (3, "end\n")


def test_the_whole_group_ends(agent: Agent, run: Run) -> None:
    agent.put("group/a", "one")
    command = f"(trap '' INT TERM; echo inner; {LOOP}) & trap 'exit 0' TERM; echo outer; wait; {LOOP}"
    tool = run(agent, "-prefix", "group", "-exec-kill-timeout", "200ms", "-exec-kill-signal", "TERM", command)
    assert {tool.line(), tool.line()} == {"inner", "outer"}
    # The pipe is at its end only when nobody of the group is left.
    assert tool.end(signal.SIGINT)[:2] == (12, "")


@pytest.mark.parametrize(("command", "status"), [("echo bye; exit 0", 0), ("echo bye; exit 4", 4)])
def test_sigterm_ends_it_in_order(run: Run, command: str, status: int) -> None:
    tool = run(None, f"trap '{command}' TERM; echo ready; {LOOP}")
    assert tool.line() == "ready"
    assert tool.end(signal.SIGTERM)[:2] == (status, "bye\n")


def test_sigterm_of_a_program_that_does_not_care(run: Run) -> None:
    tool = run(None, f"echo ready; {LOOP}")
    assert tool.line() == "ready"
    assert tool.end(signal.SIGTERM)[0] == 0


def test_a_second_signal_cuts_the_grace_period(run: Run) -> None:
    tool = run(None, f"trap 'echo asked' INT TERM; echo ready; {LOOP}")
    assert tool.line() == "ready"
    tool.process.send_signal(signal.SIGINT)
    assert tool.line() == "asked"
    assert tool.end(signal.SIGINT)[0] == 12


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="PR_SET_PDEATHSIG")
def test_nothing_outlives_it(run: Run) -> None:
    tool = run(None, "-exec-kill-timeout", "100ms", f"(trap '' INT; echo inner; {LOOP}) & echo outer; {LOOP}")
    assert {tool.line(), tool.line()} == {"inner", "outer"}
    assert tool.end(signal.SIGKILL)[1] == ""


def test_an_outage_is_ridden_out(tmp_path: Path, run: Run) -> None:
    agent = Agent(tmp_path)
    try:
        for number in range(20):
            agent.put(f"out/{number}", "x")
        agent.put("out/a", "one")
        tool = run(agent, "-consul-retry-max-backoff", "50ms", "-prefix", "out", f"echo $a; {LOOP}")
        assert tool.line() == "one"
        agent.stop()
        assert tool.process.poll() is None
        # The agent comes back with nothing in it, and an index that is far lower.
        agent.start()
        agent.put("out/a", "two")
        while (line := tool.line()) != "two":
            assert line == ""
        assert tool.end(signal.SIGINT)[0] == 12
    finally:
        agent.stop()


def test_it_waits_for_consul(tmp_path: Path, run: Run) -> None:
    agent = Agent(tmp_path)
    agent.stop()
    tool = run(agent, "-once", "-consul-retry-attempts=0", "-consul-retry-max-backoff=50ms", "-prefix", "w", "echo $a")
    assert tool.process.stderr is not None
    assert "again in" in tool.process.stderr.readline()
    agent.start()
    try:
        assert tool.end()[:2] == (0, "\n")
    finally:
        agent.stop()


def test_sighup_reads_the_configuration_again(agent: Agent, run: Run, tmp_path: Path) -> None:
    agent.put("hup/a/x", "one")
    agent.put("hup/b/x", "two")
    config = tmp_path / "c.hcl"
    config.write_text('prefix {\n  path = "hup/a"\n}\n')
    tool = run(agent, "-config", str(config), f"echo $x; {LOOP}")
    assert tool.line() == "one"
    config.write_text("nonsense = 1")
    tool.process.send_signal(signal.SIGHUP)
    assert tool.process.stderr is not None
    assert "reload failed, configuration unchanged" in tool.process.stderr.readline()
    config.write_text('prefix {\n  path = "hup/b"\n}\n')
    tool.process.send_signal(signal.SIGHUP)
    assert tool.line() == "two"
    assert tool.end(signal.SIGINT)[0] == 12


def test_quick_changes_are_joined(agent: Agent, run: Run) -> None:
    agent.put("quick/a", "one")
    tool = run(agent, "-wait", "300ms:30s", "-prefix", "quick", f"echo $a; {LOOP}")
    assert tool.line() == "one"
    for value in ("two", "three", "four"):
        agent.put("quick/a", value)
    assert tool.line() in ("two", "three", "four")
    assert tool.end(signal.SIGINT)[0] == 12


def test_the_pid_file(run: Run, tmp_path: Path) -> None:
    tool = run(None, "-pid-file", str(tmp_path / "pid"), f"echo ready; {LOOP}")
    assert tool.line() == "ready"
    assert (tmp_path / "pid").read_text() == f"{tool.process.pid}\n"
    assert tool.end(signal.SIGTERM)[0] == 0
    assert not (tmp_path / "pid").exists()


def test_secrets_are_not_logged(agent: Agent, run: Run) -> None:
    agent.put("log/a-b", "hush1")
    agent.put("log/a.b", "hush2")
    flags = ("-log-level=trace", "-token=hush3", "-sanitize", "-prefix", "log", "-once")
    status, out, err = run(agent, *flags, "echo $a_b").end()
    assert (status, out) == (0, "hush2\n")
    assert "both give the variable a_b" in err
    assert "hush" not in err
    assert "http" not in err.lower()  # what the HTTP client has to say of each request


def test_print(agent: Agent, run: Run) -> None:
    agent.put("print/a", 'x "y"')
    status, out, _ = run(agent, "-prefix", "print", "-upcase", "-print", "json", HOME="/").end()
    assert (status, json.loads(out)) == (0, {"A": 'x "y"'})
    assert run(agent, "-prefix", "print", "-print=shell").end()[1] == "export a='x \"y\"'\n"


def test_the_terminal_is_given_to_the_program() -> None:
    """A program that reads from the terminal must be its foreground group, or it is stopped by SIGTTIN."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(BIN / "pyenvconsul", ["pyenvconsul", "-once", "echo ready; read x; echo got-$x; exit 6"])
    assert b"ready" in os.read(terminal, 100)
    os.write(terminal, b"hello\n")
    seen = b""
    while b"got-hello" not in seen:
        seen += os.read(terminal, 100)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 6
    os.close(terminal)


def test_print_refuses_what_it_cannot_say_and_a_program(agent: Agent, run: Run) -> None:
    agent.put("unsayable/a", "hush\nx")
    status, out, err = run(agent, "-prefix", "unsayable", "-print", "docker").end()
    assert (status, out) == (14, "")
    assert "cannot print a as docker: its value has a line break" in err
    status, out, err = run(agent, "-prefix", "unsayable", "-print", "json", "env").end()
    assert (status, out) == (13, "")
    assert "runs no program: drop 'env'" in err


def test_names_that_change_how_programs_start(agent: Agent, run: Run) -> None:
    for name in ("LD_PRELOAD", "NODE_OPTIONS", "DB"):
        agent.put(f"names/{name}", "hush")
    status, out, err = run(agent, "-once", "-pristine", "-prefix", "names", "env").end()
    assert status == 0
    assert {"NODE_OPTIONS=hush", "DB=hush"} <= set(out.split())
    assert "LD_PRELOAD=" not in out
    assert "refused the variable LD_PRELOAD" in err
    out = run(agent, "-once", "-pristine", "-prefix", "names", "-safe-names", "-allow-name", "LD_*", "env").end()[1]
    assert {"LD_PRELOAD=hush", "DB=hush"} <= set(out.split())
    assert "NODE_OPTIONS" not in out


def test_the_signal_that_killed_the_program_is_named(agent: Agent, run: Run) -> None:
    status, _, err = run(agent, "-once", "sh", "-c", "kill -9 $$").end()
    assert status == 255
    assert "sh was killed by SIGKILL (137)" in err


_ORPHAN = "(sh -c 'echo $$; exec sleep 0.1' &) ; exec sleep 30"


def test_orphans_are_reaped_by_whoever_gets_them(agent: Agent) -> None:
    """A subreaper gets orphans, as process 1 of a container does."""

    def become_subreaper() -> None:
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER

    tool = subprocess.Popen(
        [str(BIN / "pyenvconsul"), "-consul-addr", agent.address, "sh", "-c", _ORPHAN],
        stdout=subprocess.PIPE,
        preexec_fn=become_subreaper,  # noqa: PLW1509 - no thread runs here
        text=True,
    )
    try:
        assert tool.stdout is not None
        orphan = int(tool.stdout.readline())
        eventually(lambda: not Path(f"/proc/{orphan}").exists())
    finally:
        tool.terminate()
        tool.wait(PATIENCE)


ONE_SHOT = """
import sys
from pyconsul.tools.envconsul.main import main
main(sys.argv[1:])
heavy = ("asyncio", "httpx", "jinja2", "rich", "click", "msgspec", "ssl", "yaml", "cryptography", "hcl2", "difflib")
print(*(name for name in heavy if name in sys.modules), file=sys.stderr)
"""


@pytest.mark.parametrize(("words", "out"), [("-print dotenv", "a='1'\n"), ("-once -pristine env", "a=1\n")])
def test_a_one_shot_run_loads_little(agent: Agent, words: str, out: str) -> None:
    agent.put("few/a", "1")
    command = [sys.executable, "-c", ONE_SHOT, "-consul-addr", agent.address, "-prefix", "few", *words.split()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, out, "\n")


@pytest.mark.parametrize(("sig", "status", "told"), [(signal.SIGTERM, 0, ""), (signal.SIGINT, 12, "Cleaning up...\n")])
def test_a_signal_ends_a_one_shot_run_that_waits_for_consul(run: Run, sig: int, status: int, told: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        tool = run(None, "-consul-addr", f"127.0.0.1:{silent.getsockname()[1]}", "-once", "-prefix", "a", "true")
        connection, _ = silent.accept()
        with connection:
            connection.recv(1)
            assert tool.end(sig) == (status, "", told)


def test_a_one_shot_run_reads_its_configuration_again(agent: Agent, run: Run, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"exec": {"env": {"custom": ["stage=one"]}}}))
    tool = run(agent, "-once", "-config", config, f"echo $stage; {LOOP}")
    assert tool.line() == "one"
    config.write_text(json.dumps({"exec": {"env": {"custom": ["stage=two"]}}}))
    tool.process.send_signal(signal.SIGHUP)
    assert tool.line() == "two"
    assert tool.end(signal.SIGINT)[0] == 12


def test_a_one_shot_run_is_limited_in_time_and_passes_signals_on(run: Run) -> None:
    status, _, err = run(None, "-once", "-exec-timeout", "50ms", LOOP).end()
    assert (status, err) == (14, "pyenvconsul: the program has run for longer than exec.timeout allows\n")
    tool = run(None, "-once", f"trap 'echo got; exit 7' USR1; echo ready; {LOOP}")
    assert tool.line() == "ready"
    status, out, err = tool.end(signal.SIGUSR1)
    assert (status, out, "sh has ended with status 7" in err) == (7, "got\n", True)
