"""`members`, `join`, `keyring` and `rtt` against scripted answers of an agent."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

import pytest

from pyconsul.agent.common.consul_environment import AgentAddress
from pyconsul.agent.common.options import parse
from pyconsul.cli.commands.cluster import join, keyring, members, rtt
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError
from pyconsul.cli.exit_status import Status
from pyconsul.cli.http.client import Response

COMMANDS = members.COMMANDS | join.COMMANDS | keyring.COMMANDS | rtt.COMMANDS
CLIENT = {"role": "node", "dc": "dc1", "build": "1.21.4:x", "vsn": "2", "id": "i", "segment": ""}


class Agent:
    """A client whose answers a test sets, by path; it records the requests."""

    address = AgentAddress("127.0.0.1:8500", "default", host="127.0.0.1", port=8500)

    def __init__(self, answers: Mapping[str, Any], headers: dict[str, str] | None = None) -> None:
        self._answers, self._headers = answers, headers or {}
        self.requests: list[tuple[str, str, dict[str, str]]] = []

    def request(self, method: str, path: str, query: dict[str, str] | None = None, body: bytes = b"") -> Response:
        self.requests.append((method, path, query or {}))
        answer = self._answers.get(path)
        return Response(200, self._headers, b"" if answer is None else json.dumps(answer).encode())

    def get(self, path: str, query: dict[str, str] | None = None) -> Any:
        return self.request("GET", path, query).checked().json()


class Terminal(Context):
    """A context with a scripted agent."""

    def __init__(self, command: str, words: list[str], agent: Agent) -> None:
        super().__init__(parse(COMMANDS[command].flags, words), {}, io.BytesIO(), io.BytesIO(), io.BytesIO())
        self._agent = agent
        self._run = COMMANDS[command].run

    @property
    def client(self) -> Any:
        return self._agent

    def run(self) -> tuple[int | None, list[str]]:
        """The exit code and the lines of standard output."""
        status = self._run(self)
        return status, self.stdout.getvalue().decode().splitlines()  # type: ignore[attr-defined]


def run(command: str, *words: str, agent: Agent) -> tuple[int | None, list[str]]:
    return Terminal(command, list(words), agent).run()


def member(name: str, status: int = 1, **tags: str) -> dict[str, Any]:
    return {"Name": name, "Addr": "10.0.0.1", "Port": 8301, "Status": status, "Tags": CLIENT | tags}


def pool(*found: Any) -> Agent:
    return Agent({"/v1/agent/members": list(found)})


def test_members_in_detail_have_partition_and_segment() -> None:
    _, lines = run("members", "-detailed", agent=pool(member("c1"), member("s1", role="consul")))
    tags = "ap=default,build=1.21.4:x,dc=dc1,id=i,role={},segment={},vsn=2"
    assert [line.split()[-1] for line in lines[1:]] == [
        tags.format("consul", "<all>"),
        tags.format("node", "<default>"),
    ]


def test_parameters_of_the_list() -> None:
    agent = pool(member("c1"))
    run("members", "-wan", "-filter=x", "-segment=y", agent=agent)
    run("members", agent=agent)
    queries = [query for _, _, query in agent.requests]
    assert queries == [{"segment": "y", "filter": "x", "wan": "1"}, {"segment": "_all"}]


@pytest.mark.parametrize("answer", [None, []])
def test_no_member_at_all(answer: Any) -> None:
    assert run("members", agent=Agent({"/v1/agent/members": answer or []})) == (Status.NO_MATCH, [])


def test_a_status_is_a_regular_expression_of_go() -> None:
    _, lines = run("members", "-status=^f", agent=pool(member("c1"), member("c2", 4)))
    assert [line.split()[0] for line in lines[1:]] == ["c2"]
    with pytest.raises(CliError, match=r"error parsing regexp: missing closing \]: `\[`"):
        run("members", "-status=[", agent=pool())


def test_why_a_member_failed() -> None:
    explained = {"Member": member("c1", 4), "Reasons": ["declared dead by a", "UDP is blocked, TCP works"]}
    agent = pool(explained)
    expected = ["c1  10.0.0.1:8301  failed", "  declared dead by a", "  UDP is blocked, TCP works"]
    assert run("members", "-why", "c1", agent=agent) == (None, expected)
    assert agent.requests == [("GET", "/v1/agent/members", {"explain": "c1"})]
    _, lines = run("members", "-why", "c1", "-format=json", agent=agent)
    assert json.loads("\n".join(lines)) == [explained]


def test_an_agent_that_explains_nothing() -> None:
    with pytest.raises(CliError, match="-why needs an agent of pyconsul"):
        run("members", "-why=c1", agent=pool(member("c1")))


def test_names_of_others_cannot_steer_the_terminal() -> None:
    hostile = member("a\x1b[2J\nb", dc="\x1b]0;x\x07")
    for words in ((), ("-detailed",)):
        _, lines = run("members", *words, agent=pool(hostile))
        assert "\x1b" not in "".join(lines)
        assert len(lines) == 2
    _, lines = run("members", "-why=a", agent=pool({"Member": hostile, "Reasons": ["suspected by \x1b[2J"]}))
    assert "\x1b" not in "".join(lines)


def test_a_join_tells_of_blocked_udp() -> None:
    terminal = Terminal("join", ["10.0.0.2"], Agent({}, {"x-pyconsul-warning": "UDP does not pass"}))
    assert terminal.run() == (None, ["Successfully joined cluster by contacting 1 nodes."])
    assert terminal.stderr.getvalue() == b"Warning: UDP does not pass\n"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["-list", "-relay-factor=9"], "Error parsing relay factor: Relay factor must be in range: [0, 5]"),
        (["-install=x", "-local-only"], "Error validating local-only: local-only can only be set for list requests"),
        (["-list", "-install=x"], "Only a single action is allowed"),
    ],
)
def test_actions_on_keys_that_are_refused(words: list[str], text: str) -> None:
    agent = Agent({})
    with pytest.raises(CliError) as caught:
        run("keyring", *words, agent=agent)
    assert (str(caught.value), caught.value.status, agent.requests) == (text, Status.USAGE, [])


def test_distances_that_are_not_known() -> None:
    point = {"Vec": [0.0] * 8, "Error": 1.5, "Adjustment": 0.0, "Height": 0.001}
    agent = Agent(
        {
            "/v1/coordinate/nodes": [{"Node": "a", "Segment": "", "Coord": point}],
            "/v1/coordinate/datacenters": [
                {"Datacenter": "dc1", "AreaID": "wan", "Coordinates": [{"Node": "a", "Segment": "", "Coord": point}]}
            ],
        }
    )
    for words, node in ((["a", "b"], "b"), (["b", "a"], "b"), (["-wan", "a.dc1", "a.dc2"], "a.dc1")):
        with pytest.raises(CliError) as caught:
            run("rtt", *words, agent=agent)
        assert str(caught.value) == f'Could not find a coordinate for node "{node}"'
    _, lines = run("rtt", "a", "a", agent=agent)
    assert lines == ["Estimated a <-> a rtt: 2.000 ms (using LAN coordinates)"]
