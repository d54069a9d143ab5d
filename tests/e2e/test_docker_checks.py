"""Docker checks, in the containers of a real engine: exit codes, output, and containers that come, stop and go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.agent_process import AgentProcess, StartAgent
from support.container_engine import ContainerEngine, NoEngine, running_engine
from support.eventually import eventually


def leftovers(folder: str) -> list[str]:
    """Return the processes and mounts that still have something to do with a folder."""
    found = [line for line in Path("/proc/mounts").read_text().splitlines() if folder in line]
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if folder in line:
            found.append(line)
    return found


@pytest.fixture(scope="module")
def engine() -> Iterator[ContainerEngine]:
    try:
        with running_engine() as engine:
            yield engine
    except NoEngine as error:
        pytest.skip(str(error))
    assert leftovers(str(engine.folder)) == []
    assert not engine.folder.exists()


@pytest.fixture(scope="module")
def agent(engine: ContainerEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentProcess]:
    process = AgentProcess(tmp_path_factory.mktemp("agent"), check_update_interval="0s")
    process.argv.append("-enable-script-checks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", engine.host)
        process.start()
    try:
        yield process
    finally:
        process.stop()


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A folder that a container sees."""
    folder = tmp_path / "shared"
    folder.mkdir()
    return folder


@pytest.fixture
def container(engine: ContainerEngine, agent: AgentProcess) -> Iterator[Callable[[str, Path | None], None]]:
    """Starts containers; what is left of them goes with the test, and so do the agent's services."""
    yield engine.run
    for name in agent.get("/v1/agent/services"):
        agent.put(f"/v1/agent/service/deregister/{name}")
    engine.clear()


def register(agent: AgentProcess, name: str, container: str, script: str, **fields: Any) -> None:
    """Register a service whose check runs a script in a container."""
    check = {
        "DockerContainerID": container,
        "Shell": "/bin/sh",
        "Args": ["/bin/sh", "-c", script],
        "Interval": "1s",
        **fields,
    }
    agent.put("/v1/agent/service/register", {"Name": name, "Check": check})


def expect(agent: AgentProcess, name: str, status: str, output: str) -> None:
    """Wait until the catalog has a check's status and output."""

    def found() -> list[tuple[str, str]]:
        return [(row["Status"], row["Output"]) for row in agent.get(f"/v1/health/checks/{name}")]

    eventually(lambda: found() == [(status, output)], lambda: f"{found()}\n{agent.log()[-1500:]}")


def test_the_exit_code_is_the_status_and_stdout_is_the_output(
    agent: AgentProcess, container: Callable[..., None], shared: Path
) -> None:
    (shared / "script").write_text("echo all is well")
    container("web", shared)
    register(agent, "by-code", "web", ". /shared/script")
    (row,) = agent.get("/v1/health/checks/by-code")
    assert (row["Status"], row["Type"]) == ("critical", "docker")
    expect(agent, "by-code", "passing", "all is well\n")
    (shared / "script").write_text("echo slow; echo very slow >&2; exit 1")
    expect(agent, "by-code", "warning", "slow\nvery slow\n")
    (shared / "script").write_text("printf 'gone ü'; exit 2")
    expect(agent, "by-code", "critical", "gone ü")
    (shared / "script").write_text("exit 0")
    expect(agent, "by-code", "passing", "")
    assert [entry["Service"]["ID"] for entry in agent.get("/v1/health/service/by-code?passing")] == ["by-code"]


def test_programs_run_inside_the_container(agent: AgentProcess, container: Callable[..., None]) -> None:
    container("inside", None)
    register(agent, "inside", "inside", "cat /proc/1/comm; [ ! -e /usr ]")
    expect(agent, "inside", "passing", "sleep\n")
    register(agent, "long", "inside", "yes | head -c 10000", OutputMaxSize=10)
    expect(agent, "long", "passing", "Captured 10 of 10000 bytes\n...\n" + 5 * "y\n")


def test_the_status_is_that_of_the_end_of_a_program_that_closed_its_output(
    agent: AgentProcess, container: Callable[..., None]
) -> None:
    container("quiet", None)
    register(agent, "quiet", "quiet", "echo then; exec >&- 2>&-; sleep 1; exit 1")
    expect(agent, "quiet", "warning", "then\n")


@pytest.mark.parametrize(
    ("script", "output"),
    [("sleep 100", ""), ("echo begun; while :; do usleep 100000; echo >/dev/null; done", "\n\nbegun\n")],
)
def test_a_program_that_does_not_end_is_given_up(
    agent: AgentProcess, container: Callable[..., None], script: str, output: str
) -> None:
    container("endless", None)
    register(agent, "endless", "endless", script, Timeout="2s")
    expect(agent, "endless", "critical", "Timed out (2s) running check" + output)


def test_a_program_that_is_not_there(agent: AgentProcess, container: Callable[..., None]) -> None:
    container("bare", None)
    register(agent, "bare", "bare", "", Args=["/bin/no-such-program"])
    output: str = eventually(lambda: agent.get("/v1/health/checks/bare")[0]["Output"])
    assert "/bin/no-such-program" in output
    assert agent.get("/v1/health/checks/bare")[0]["Status"] == "critical"


def test_a_container_that_comes_stops_and_goes(
    engine: ContainerEngine, agent: AgentProcess, container: Callable[..., None]
) -> None:
    register(agent, "moving", "moving", "echo here")
    unknown = "create exec failed for unknown container moving"
    expect(agent, "moving", "critical", unknown)
    container("moving", None)
    expect(agent, "moving", "passing", "here\n")
    idle = "create exec failed since container moving is paused or stopped"
    for stop, start in (("pause", "unpause"), ("stop?t=0", "start")):
        engine.done("POST", f"/containers/moving/{stop}")
        expect(agent, "moving", "critical", idle)
        engine.done("POST", f"/containers/moving/{start}")
        expect(agent, "moving", "passing", "here\n")
    engine.remove("moving")
    expect(agent, "moving", "critical", unknown)


def test_scripts_in_containers_need_leave_too(engine: ContainerEngine, start_agent: StartAgent) -> None:
    process = start_agent()
    check = {"DockerContainerID": "web", "Args": ["true"], "Interval": "1s"}
    status, _, body = process.request("PUT", "/v1/agent/service/register", {"Name": "web", "Check": check})
    assert status == 500
    assert b"Scripts are disabled on this agent" in body
