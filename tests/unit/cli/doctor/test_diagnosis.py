"""What the doctor says, given what was found."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import Any

import dns.message
import dns.rcode
import pytest

from pyconsul.cli.doctor import diagnosis
from pyconsul.cli.doctor.diagnosis import FAILURE, OK, WARNING

DATE, NOW = "Mon, 23 Nov 2026 22:56:50 GMT", 1795474610.0


@pytest.mark.parametrize(("apart", "state"), [(0, OK), (-2, OK), (10, WARNING), (-10, WARNING), (3600, FAILURE)])
def test_clocks(apart: int, state: str) -> None:
    found = diagnosis.clock(DATE, NOW + apart)
    assert (found.state, bool(found.advice)) == (state, state != OK)


def test_an_agent_without_a_clock() -> None:
    assert diagnosis.clock("", NOW).state == WARNING
    assert diagnosis.clock("nonsense", NOW).state == WARNING


@pytest.mark.parametrize(
    ("status", "given", "state"),
    [(200, True, OK), (401, False, OK), (401, True, OK), (403, False, WARNING), (403, True, FAILURE)],
)
def test_tokens(status: int, given: bool, state: str) -> None:
    assert diagnosis.token(status, {"Description": "mine"}, given=given).state == state


def test_leader_and_checks() -> None:
    assert diagnosis.leader("10.0.0.1:8300").state == OK
    assert diagnosis.leader("").text == "no server leads"
    alone = diagnosis.leader("", elsewhere="s2")
    assert (alone.state, "s2 leads" in alone.text, "recover" in alone.advice) == (FAILURE, True, False)
    assert diagnosis.checks([]).state == OK
    rows: list[dict[str, Any]] = [{"ServiceName": "web", "Node": "n1"}, {"ServiceName": "", "Node": "n2"}]
    assert diagnosis.checks(rows).text == "2 checks are critical: n2, web"


def test_the_file_of_a_token(tmp_path: Path) -> None:
    path = tmp_path / "token"
    assert diagnosis.token_file(str(path)).state == FAILURE
    path.touch(0o600)
    assert diagnosis.token_file(str(path)).state == OK
    path.chmod(0o640)
    assert diagnosis.token_file(str(path)).advice == f"chmod 600 {path}"


def test_a_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert diagnosis.data_folder(str(tmp_path / "missing")).state == WARNING
    monkeypatch.setattr(diagnosis, "DISK_WARNING", 0)
    assert diagnosis.data_folder(str(tmp_path)).state == OK
    monkeypatch.setattr(diagnosis, "DISK_WARNING", 2**80)
    assert diagnosis.data_folder(str(tmp_path)).state == WARNING


def test_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        monkeypatch.setattr(diagnosis, "DEFAULT_PORTS", {holder.getsockname()[1]: "HTTP", 0: "DNS"})
        assert [found.state for found in diagnosis.reachable_ports("127.0.0.1")] == [WARNING, OK]


@pytest.mark.parametrize(
    ("rcode", "state", "advice"),
    [
        (dns.rcode.NXDOMAIN, OK, ""),
        (dns.rcode.REFUSED, WARNING, "dns token"),
        (dns.rcode.SERVFAIL, WARNING, "No server has answered"),
    ],
)
def test_dns(rcode: dns.rcode.Rcode, state: str, advice: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def answer() -> None:
            data, client = server.recvfrom(4096)
            response = dns.message.make_response(dns.message.from_wire(data))
            response.set_rcode(rcode)
            server.sendto(response.to_wire(), client)

        thread = threading.Thread(target=answer)
        thread.start()
        found = diagnosis.dns_answers("127.0.0.1", server.getsockname()[1], "consul", tcp=False)
        thread.join()
    assert found.state == state
    assert advice in found.advice
    assert diagnosis.dns_answers("127.0.0.1", 1, "consul", tcp=True).state == FAILURE


def explained(name: str, status: int, *reasons: str) -> dict[str, Any]:
    return {"Member": {"Name": name, "Status": status}, "Reasons": list(reasons)}


def test_a_pool_without_faults() -> None:
    (finding,) = diagnosis.gossip([explained("a", 1, "it is alive"), explained("b", 3, "it left")], health_score=0)
    assert (finding.state, finding.text) == (OK, "2 members, none of them failed")


def test_members_that_failed_are_named_with_the_command_that_explains_them() -> None:
    (finding,) = diagnosis.gossip([explained("a", 1), explained("b", 4)], health_score=0)
    assert (finding.state, finding.text) == (WARNING, "1 of 2 members failed: b")
    assert "pyconsul members -why b" in finding.advice


def test_members_of_an_agent_that_explains_nothing() -> None:
    (finding,) = diagnosis.gossip([{"Name": "a", "Status": 1}], health_score=0)
    assert finding.text == "1 member, none of them failed"


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("UDP is blocked, TCP works: the last …", "UDP does not pass, TCP does: b"),
        ("3 packets from its address could not be decrypted: …", "packets cannot be decrypted: b"),
    ],
)
def test_faults_between_this_agent_and_a_member(reason: str, text: str) -> None:
    _, finding = diagnosis.gossip([explained("a", 1), explained("b", 1, "it is alive", reason)], health_score=0)
    assert (finding.state, finding.text) == (WARNING, text)
    assert finding.advice


@pytest.mark.parametrize(("score", "members", "is_told"), [(3, 3, True), (1, 3, False), (3, 2, False)])
def test_an_agent_that_answers_too_late(score: int, members: int, is_told: bool) -> None:
    found = list(diagnosis.gossip([explained(f"m{number}", 1) for number in range(members)], health_score=score))
    assert any("health score 3 (0 is good)" in finding.text for finding in found) is is_told


@pytest.mark.parametrize(
    ("stats", "state"),
    [
        ({}, None),
        ({"oldest_age_seconds": "?"}, None),
        ({"held_rows": "12", "oldest_age_seconds": "0.0"}, OK),
        ({"held_rows": "12", "oldest_age_seconds": "61.5"}, WARNING),
    ],
)
def test_the_age_of_rows_behind_dns_answers(stats: dict[str, str], state: str | None) -> None:
    found = diagnosis.held_rows(stats)
    assert (found and found.state) == state
    assert state != WARNING or "62 s" in str(found and found.text)


def test_anti_entropy() -> None:
    assert diagnosis.sync({}) is None
    fine, behind = {"state": "ok"}, {"state": "behind", "behind_seconds": "12.0", "error": "No cluster leader"}
    assert [(one.state, one.advice) for one in map(diagnosis.sync, (fine, behind)) if one] == [
        (OK, ""),
        (WARNING, "No cluster leader"),
    ]
