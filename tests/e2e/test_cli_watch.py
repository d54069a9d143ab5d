"""`pyconsul watch` over changes, reloads and restarts: nothing is missed and nothing comes twice."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.agent_process import AGAINST, AgentProcess, StartAgent

Run = Callable[..., subprocess.CompletedProcess[bytes]]
PYCONSUL = str(Path(sys.executable).parent / "pyconsul")
PATIENCE = 60.0
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start(cli_agent: str) -> Iterator[Start]:
    """Starts `pyconsul watch`; what still runs in the end is killed."""
    running: list[subprocess.Popen[bytes]] = []

    def begin(*words: str, address: str = cli_agent, **environ: str) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "CONSUL_HTTP_ADDR": address, "SHELL": "/bin/sh", **environ}
        pipe = subprocess.PIPE
        process = subprocess.Popen([PYCONSUL, "watch", *words], env=environment, stdout=pipe, stderr=pipe)
        running.append(process)
        return process

    yield begin
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate()


def line(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().decode().rstrip("\n")


def end(process: subprocess.Popen[bytes]) -> tuple[int, str, str]:
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out.decode(), err.decode()


def until(process: subprocess.Popen[bytes], word: str) -> str:
    """Read standard error up to a line with the word."""
    assert process.stderr is not None
    while line_ := process.stderr.readline().decode():
        if word in line_:
            return line_
    raise AssertionError(f"it ended without saying {word!r}")


KEY = ("-type=key", "-key=watch/a")
VALUES = r"sed 's/.*Value.:.\([^\"]*\).*/\1/'"  # a handler that prints the value as the API has it


@pytest.mark.parametrize("flag", ["-once", "--once"])
def test_once_runs_the_handler_once(pyconsul: Run, flag: str) -> None:
    pyconsul("kv", "put", "watch/a", "1")
    done = pyconsul("watch", *KEY, flag, "cat")
    assert (done.returncode, json.loads(done.stdout)["Value"]) == (0, "MQ==")
    assert pyconsul("watch", *KEY, flag, "exit 3").returncode == 1


def test_no_initial_waits_for_a_change(pyconsul: Run, start: Start, tmp_path: Path) -> None:
    """The state file tells that the watch has seen what there is."""
    pyconsul("kv", "put", "watch/a", "1")
    state = tmp_path / "state"
    for words in ((), ("-once", "cat")):
        state.unlink(missing_ok=True)
        process = start(*KEY, "-no-initial", f"-state-file={state}", *words)
        while not state.exists():
            assert process.poll() is None
        pyconsul("kv", "put", "watch/a", f"2 {words}")
        out, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
        assert json.loads(out)["Value"].startswith("Mi")  # of "2 "


def test_differences(pyconsul: Run, start: Start) -> None:
    pyconsul("kv", "put", "watch/a", "1")
    process = start(*KEY, "-diff")
    lines = lines_until(process, '"Value"')
    assert lines[:4] == ["--- before", f"+++ {index_of(pyconsul)}", "@@ -0,0 +1,9 @@", "+{"]
    assert lines[-1] == '+    "Value": "1",'
    pyconsul("kv", "put", "watch/a", "2")
    lines = lines_until(process, '+    "Value"')
    assert ["--- before", f"+++ {index_of(pyconsul)}"] == [one for one in lines if one[:3] in ("---", "+++")]
    assert lines[-2:] == ['-    "Value": "1",', '+    "Value": "2",']
    assert end(process)[0] == 0


def lines_until(process: subprocess.Popen[bytes], word: str) -> list[str]:
    """What is printed, up to the first line with the word."""
    lines = [line(process)]
    while word not in lines[-1]:
        assert lines[-1] or process.poll() is None, lines
        lines.append(line(process))
    return lines


def index_of(pyconsul: Run) -> str:
    return f"index {modify_index(pyconsul)}"


def modify_index(pyconsul: Run) -> int:
    return int(json.loads(pyconsul("kv", "get", "-format=json", "watch/a").stdout)["ModifyIndex"])


def test_the_handler_finds_the_difference_in_a_file(pyconsul: Run, start: Start, tmp_path: Path) -> None:
    pyconsul("kv", "put", "watch/a", "1")
    process = start(*KEY, "-diff", 'echo $CONSUL_DIFF_FILE; grep -c "" $CONSUL_DIFF_FILE; ls -l $CONSUL_DIFF_FILE')
    first = Path(line(process))
    assert line(process) == "12"
    assert line(process).startswith("-rw-------")
    pyconsul("kv", "put", "watch/a", "2")
    second = Path(line(process))
    assert int(line(process)) > 12
    line(process)
    assert second != first
    assert not first.exists()
    assert end(process)[0] == 0
    assert not second.exists()


@pytest.mark.parametrize("colours", [True, False])
def test_differences_on_a_terminal(pyconsul: Run, cli_agent: str, colours: bool) -> None:
    pyconsul("kv", "put", "watch/a", "1")
    environ = {**os.environ, "CONSUL_HTTP_ADDR": cli_agent, "TERM": "xterm-256color"}
    environ.pop("NO_COLOR", None)
    environ |= {} if colours else {"NO_COLOR": "1"}
    leader, follower = pty.openpty()
    command = [PYCONSUL, "watch", *KEY, "-diff", "-once"]
    process = subprocess.Popen(command, stdout=follower, stderr=follower, env=environ)
    os.close(follower)
    shown = b""
    try:
        while piece := os.read(leader, 4096):
            shown += piece
    except OSError:  # Linux: the other side is closed
        pass
    os.close(leader)
    assert process.wait(PATIENCE) == 0
    assert b'+    "Value": "1"' in shown
    assert (b"\x1b[32m" in shown) == colours


@pytest.mark.parametrize(("wanted", "text"), [("yaml", "Value: MQ=="), ("table", "Value        MQ==")])
def test_formats(pyconsul: Run, wanted: str, text: str) -> None:
    pyconsul("kv", "put", "watch/a", "1")
    assert text in pyconsul("watch", *KEY, f"-format={wanted}").stdout.decode()


def test_a_watch_that_is_started_again_goes_on(pyconsul: Run, start: Start, tmp_path: Path) -> None:
    pyconsul("kv", "put", "watch/a", "1")
    words = (*KEY, f"-state-file={tmp_path / 'state'}", VALUES)
    first = start(*words)
    assert line(first) == "MQ=="
    while not (tmp_path / "state").exists():
        assert first.poll() is None
    assert end(first)[:2] == (0, "")
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o600
    assert "MQ==" not in (tmp_path / "state").read_text()
    pyconsul("kv", "put", "watch/a", "2")  # nobody watches
    second = start(*words)
    assert line(second) == "Mg=="
    pyconsul("kv", "put", "watch/a", "3")
    assert line(second) == "Mw=="
    while json.loads((tmp_path / "state").read_text())["Index"] != modify_index(pyconsul):
        assert second.poll() is None
    end(second)
    third = start(*words)
    pyconsul("kv", "put", "watch/a", "4")
    assert line(third) == "NA=="
    end(third)


def test_a_handler_that_fails_gets_the_change_again(pyconsul: Run, tmp_path: Path) -> None:
    pyconsul("kv", "put", "watch/a", "1")
    words = ("watch", *KEY, "-once", f"-state-file={tmp_path / 'state'}")
    assert pyconsul(*words, "exit 1").returncode == 1
    assert json.loads(pyconsul(*words, "cat").stdout)["Value"] == "MQ=="


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("{", b"damaged"),
        ("[]", b"damaged"),
        ('{"Watch": "/v1/kv/other", "Index": 1, "Digest": ""}', b"belongs to another watch (/v1/kv/other)"),
    ],
)
def test_a_state_file_of_something_else(pyconsul: Run, tmp_path: Path, content: str, text: bytes) -> None:
    (tmp_path / "state").write_text(content)
    done = pyconsul("watch", *KEY, "-state-file=state")
    assert (done.returncode, done.stdout) == (1, b"")
    assert text in done.stderr


def test_a_reload_reads_the_token_again(acl_agent: dict[str, str], start: Start, tmp_path: Path) -> None:
    address, secret = acl_agent["CONSUL_HTTP_ADDR"], acl_agent["CONSUL_HTTP_TOKEN"]
    environ = {**os.environ, **acl_agent}

    def call(*words: str) -> bytes:
        return subprocess.run([PYCONSUL, *words], env=environ, capture_output=True, check=True).stdout

    rules = 'key_prefix "" { policy = "read" } agent_prefix "" { policy = "read" }'
    call("acl", "policy", "create", "-name=watcher", f"-rules={rules}")
    made = json.loads(call("acl", "token", "create", "-policy-name=watcher", "-format=json"))
    token = tmp_path / "token"
    token.write_text(made["SecretID"])
    call("kv", "put", "watch/a", "1")
    process = start(*KEY, f"-token-file={token}", VALUES, address=address)
    assert line(process) == "MQ=="
    token.write_text(secret)
    process.send_signal(signal.SIGHUP)
    assert "reloaded, going on at index" in until(process, "reloaded")
    call("acl", "token", "delete", f"-accessor-id={made['AccessorID']}")  # the old token is of no use any more
    call("kv", "put", "watch/a", "2")
    assert line(process) == "Mg=="
    token.unlink()
    process.send_signal(signal.SIGHUP)
    assert "nothing is reloaded" in until(process, "reloaded")
    call("kv", "put", "watch/a", "3")
    assert line(process) == "Mw=="
    assert end(process)[:2] == (0, "")


def test_reloads_at_any_time_lose_nothing(pyconsul: Run, start: Start) -> None:
    pyconsul("kv", "put", "watch/a", "start")
    process = start("-type=key", "-key=watch/a", VALUES)
    seen = [line(process)]
    for number in range(5):
        process.send_signal(signal.SIGHUP)
        pyconsul("kv", "put", "watch/a", str(number))
        process.send_signal(signal.SIGHUP)
        seen.append(line(process))
    assert len(seen) == len(set(seen)) == 6
    assert end(process)[:2] == (0, "")


def test_a_terminal_that_is_closed_ends_a_watch(cli_agent: str) -> None:
    """SIGHUP is a reload only as long as the terminal is there."""
    environ = {**os.environ, "CONSUL_HTTP_ADDR": cli_agent, "TERM": "xterm"}
    pid, leader = pty.fork()
    if pid == 0:
        os.execve(PYCONSUL, [PYCONSUL, "watch", "-type=services", "-diff"], environ)
    assert b"before" in os.read(leader, 4096)
    os.close(leader)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGHUP


@pytest.fixture(params=["durable", "dev"])
def agent(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[AgentProcess]:
    process = AgentProcess(tmp_path, tmp_path / "data" if request.param == "durable" else None)
    yield process.start()
    process.stop()


def put(agent: AgentProcess, key: str, value: str) -> None:
    assert agent.request("PUT", f"/v1/kv/{key}", value.encode())[2] == b"true"


@pytest.mark.parametrize("filler", [0, 30])
def test_an_agent_that_is_restarted(agent: AgentProcess, start: Start, tmp_path: Path, filler: int) -> None:
    """Durable: the same data is no change. -dev: the index begins again, below or above the one that was known."""
    durable = bool(AGAINST) or agent.argv.count("-dev") == 0
    for number in range(filler):
        put(agent, f"filler/{number}", "x")
    put(agent, "watch/a", "1")
    state = f"-state-file={tmp_path / 'state'}"
    process = start(*KEY, state, f"{VALUES}; echo", address=agent.address)
    assert [line(process), line(process)] == ["MQ==", ""]
    agent.stop()
    agent.start()
    if not durable:
        assert [line(process), line(process)] == ["null", ""]  # the agent has forgotten the key
    put(agent, "watch/a", "2")
    assert [line(process), line(process)] == ["Mg==", ""]
    put(agent, "watch/a", "3")
    assert [line(process), line(process)] == ["Mw==", ""]
    assert end(process)[:2] == (0, "")


def test_events_are_neither_lost_nor_repeated(start: Start, tmp_path: Path, start_agent: StartAgent) -> None:
    agent = start_agent()
    words = ("-type=event", "-name=e", f"-state-file={tmp_path / 'state'}", "cat")
    fire(agent, "1")
    process = start(*words, address=agent.address)
    assert payloads(line(process)) == ["MQ=="]
    fire(agent, "2")
    assert payloads(line(process)) == ["Mg=="]
    while json.loads((tmp_path / "state").read_text()).get("Index") != last_index(agent):
        assert process.poll() is None
    end(process)
    fire(agent, "3")
    again = start(*words, address=agent.address)
    assert payloads(line(again)) == ["Mw=="]
    agent.stop()
    agent.start()  # it has forgotten all events
    fire(agent, "4")
    assert payloads(line(again)) == ["NA=="]
    end(again)


def fire(agent: AgentProcess, payload: str) -> None:
    assert agent.request("PUT", "/v1/event/fire/e", payload.encode())[0] == 200
    while payload.encode() not in [decoded(event) for event in agent.get("/v1/event/list?name=e")]:
        pass


def decoded(event: dict[str, Any]) -> bytes:
    from base64 import b64decode

    return b64decode(event["Payload"] or "")


def payloads(text: str) -> list[str]:
    return [event["Payload"] for event in json.loads(text)]


def last_index(agent: AgentProcess) -> int:
    return int(agent.request("GET", "/v1/event/list?name=e")[1]["x-consul-index"])
