"""A state moves: from Consul, to another agent, and from older versions of pyconsul; hostile archives move nothing."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.agent_process import AGAINST, PROGRAM, AgentProcess, StartAgent
from support.eventually import PATIENCE, eventually
from support.snapshot_files import OLD, RECORDED, packed, read, saved, state_of, unpacked

from pyconsul.agent.model.kv import KVEntry
from pyconsul.agent.snapshot.gomsgpack import packer

TOKEN = "11111111-1111-1111-1111-111111111111"
ACL = {"enabled": True, "default_policy": "deny", "tokens": {"initial_management": TOKEN, "agent": TOKEN}}
#: What a state shows, beside its history.
READS = (
    "/v1/kv/?recurse", "/v1/catalog/nodes", "/v1/catalog/services", "/v1/catalog/service/db", "/v1/catalog/node/other",
    "/v1/health/service/db", "/v1/health/node/other", "/v1/health/state/any", "/v1/session/list", "/v1/query",
    "/v1/coordinate/nodes", "/v1/operator/autopilot/configuration", "/v1/acl/tokens", "/v1/acl/policies", "/v1/acl/roles",
    "/v1/acl/auth-methods", "/v1/acl/binding-rules", "/v1/acl/auth-method/jwt", "/v1/internal/ui/services",
)  # fmt: skip
PUBLIC_KEY = """-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEVs/o5+uQbTjL3chynL4wXgUg2R9
q9UU8I5mEovUf86QZ7kOBIjJwqnzD1omageEHWwHdBO6B+dFabmdT9POxg==
-----END PUBLIC KEY-----"""


class Administered:
    """An agent with access control, asked with the management token."""

    def __init__(self, agent: AgentProcess) -> None:
        self.agent = agent

    def send(self, method: str, path: str, body: Any = None) -> tuple[dict[str, str], bytes]:
        status, headers, data = self.agent.request(method, path, body, {"X-Consul-Token": TOKEN}, timeout=60)
        assert status == 200, (method, path, status, data)
        return headers, data

    def get(self, path: str) -> Any:
        return json.loads(self.send("GET", path)[1])

    def restore(self, data: bytes) -> str:
        """Restore, and say what was left out."""
        return self.send("PUT", "/v1/snapshot", data)[0].get("x-pyconsul-snapshot-left-out", "")


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Administered]:
    folder = tmp_path_factory.mktemp("new")
    agent = AgentProcess(folder, folder / "data", node_name="new", acl=ACL).start()
    yield Administered(agent)
    agent.stop()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Administered]:
    folder = tmp_path_factory.mktemp("filled")
    agent = AgentProcess(folder, folder / "data", node_name="old", acl=ACL).start()
    found = Administered(agent)
    fill(found)
    yield found
    agent.stop()


def fill(agent: Administered) -> None:
    """Something of every kind."""

    def put(path: str, body: Any = None, method: str = "PUT") -> Any:
        return json.loads(agent.send(method, path, body)[1] or b"null")

    put("/v1/kv/app/a?flags=18446744073709551615", b"\0\xff")
    put("/v1/kv/gone", b"x")
    put("/v1/kv/gone", method="DELETE")
    put("/v1/catalog/register", {
        "Node": "other", "Address": "10.0.0.9", "NodeMeta": {"a": "b"}, "TaggedAddresses": {"wan": "1.2.3.4"},
        "Service": {
            "Service": "db", "ID": "db1", "Port": 5432, "Tags": ["x"], "Meta": {"k": "v"}, "Weights": {"Passing": 7, "Warning": 2},
            "TaggedAddresses": {"wan": {"Address": "1.2.3.4", "Port": 1}}, "EnableTagOverride": True,
        },
        "Checks": [
            {"CheckID": "c", "Name": "c", "Status": "warning", "ServiceID": "db1", "Output": "é",
             "Definition": {"HTTP": "http://x/", "Interval": "10s", "Header": {"A": ["b"]}, "TLSSkipVerify": True}},
            {"CheckID": "n", "Name": "n", "Status": "passing"},
        ],
    })  # fmt: skip
    coordinate = {"Vec": [0.5] + [0.0] * 7, "Error": 1.5, "Adjustment": 0, "Height": 1e-5}
    put("/v1/coordinate/update", {"Node": "other", "Coord": coordinate})
    session = put("/v1/session/create", {"TTL": "1h", "NodeChecks": [], "Node": "other", "LockDelay": "5s"})["ID"]
    assert put(f"/v1/kv/lock?acquire={session}", b"held") is True
    put(
        "/v1/query",
        {"Name": "q", "Service": {"Service": "db", "Failover": {"Datacenters": ["dc2"]}, "Tags": ["x"]}},
        "POST",
    )
    put("/v1/operator/autopilot/configuration", {"CleanupDeadServers": False, "ServerStabilizationTime": "20s"})
    put("/v1/acl/policy", {"Name": "p", "Rules": 'key_prefix "" { policy = "read" }', "Datacenters": ["dc1"]})
    put("/v1/acl/role", {"Name": "r", "Policies": [{"Name": "p"}], "ServiceIdentities": [{"ServiceName": "web"}]})
    put("/v1/acl/token", {
        "Description": "t", "Roles": [{"Name": "r"}], "NodeIdentities": [{"NodeName": "n", "Datacenter": "dc1"}],
        "TemplatedPolicies": [{"TemplateName": "builtin/service", "TemplateVariables": {"Name": "api"}}], "ExpirationTTL": "1h",
    })  # fmt: skip
    put("/v1/acl/auth-method", {"Name": "jwt", "Type": "jwt", "MaxTokenTTL": "5m", "Config": {
        "JWTValidationPubKeys": [PUBLIC_KEY], "BoundAudiences": ["a"], "ClaimMappings": {"sub": "who"},
    }})  # fmt: skip
    put(
        "/v1/acl/binding-rule",
        {"AuthMethod": "jwt", "BindType": "service", "BindName": "${value.who}", "Selector": "value.who==web"},
    )


def other_than(node: str, path: str, answer: Any) -> Any:
    """Return an answer without the rows of the agent's own node."""
    if path == "/v1/internal/ui/services":
        return [row for row in answer if row["Name"] != "consul"]
    if (isinstance(answer, list) and "node" in path) or "health" in path:
        return [row for row in answer if row.get("Node") != node]
    return answer


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recordings (../shared/conformance) are not here")
@pytest.mark.parametrize("name", ["plain", "acl"])
@pytest.mark.single_server("compares all nodes")
def test_a_snapshot_of_consul_brings_everything(new: Administered, name: str) -> None:
    left_out = new.restore((RECORDED / f"{name}.snap").read_bytes())
    assert left_out.startswith("1 ConfigEntry service-defaults, 1 FederationState")
    assert f"no use for it: {left_out}" in new.agent.log()
    index = json.loads((RECORDED / name / "inspect.json").read_text())["Meta"]["Index"]
    compared = 0
    for file in (RECORDED / name).glob("*.json"):
        path = "/v1/" + file.stem.replace("__", "/?").replace("_", "/")
        if file.stem in ("inspect", "config_service-defaults"):
            continue
        headers, body = new.send("GET", path)
        answer = json.loads(body)
        if "acl" in path:
            assert int(headers["x-consul-index"]) > index
        recorded = json.loads(file.read_text())
        if file.stem == "catalog_services":  # Consul gives tags in no order
            answer, recorded = ({key: set(tags) for key, tags in one.items()} for one in (answer, recorded))
        assert other_than("new", path, by_name(answer)) == by_name(recorded), path
        compared += 1
    assert compared == {"plain": 7, "acl": 12}[name]


def by_name(rows: Any) -> Any:
    return sorted(rows, key=lambda row: json.dumps(row, sort_keys=True)) if isinstance(rows, list) else rows


@pytest.mark.single_server("compares all nodes")
def test_another_agent_gives_the_same_answers(filled: Administered, new: Administered) -> None:
    data = filled.send("GET", "/v1/snapshot")[1]
    before = int(new.send("GET", "/v1/kv/?keys&recurse")[0]["x-consul-index"])
    assert new.restore(data) == ""
    for path in READS:
        ours, theirs = new.get(path), filled.get(path)
        own = [other_than(node, path, by_name(answer)) for node, answer in (("new", ours), ("old", theirs))]
        own = [other_than("old", path, answer) for answer in own]
        assert own[0] == own[1], path
        assert int(new.send("GET", path)[0].get("x-consul-index", before + 1)) > before, path
    assert new.get("/v1/query/q/execute")["Nodes"] == filled.get("/v1/query/q/execute")["Nodes"]


def test_a_restored_snapshot_is_saved_unchanged(filled: Administered, new: Administered) -> None:
    data = filled.send("GET", "/v1/snapshot")[1]
    new.restore(data)
    again = read(new.send("GET", "/v1/snapshot")[1]).tables
    for table, rows in read(data).tables.items():
        if table not in ("nodes", "services", "checks", "tombstones"):
            assert again[table] == rows, table


def test_an_older_snapshot_of_pyconsul_is_restored(new: Administered) -> None:
    assert new.restore(OLD.read_bytes()) == ""
    assert [entry["Key"] for entry in new.get("/v1/kv/?recurse")] == ["app/a", "app/binary", "lock"]
    assert new.get("/v1/health/service/db")[0]["Checks"][0]["CheckID"] == "c"
    assert {token["SecretID"] for token in new.get("/v1/acl/tokens")} >= {"bbbbbbbb-0000-0000-0000-000000000001"}


@pytest.mark.single_server("its next full sync does so, within a minute", mode="client")
def test_the_agent_takes_over_the_node_of_its_name(new: Administered, tmp_path: Path, start_agent: StartAgent) -> None:
    agent = start_agent(durable=True, node_name="other")
    status, _, body = agent.request("PUT", "/v1/snapshot", OLD.read_bytes())
    assert status == 200, body
    own_id = (tmp_path / "data" / "node-id").read_text().strip()
    patience = PATIENCE if AGAINST else 0  # a follower compares its rows once it has read the new state
    eventually(lambda: own_id in [node["ID"] for node in agent.get("/v1/catalog/nodes")], patience=patience)
    assert any(service == "consul" for service in agent.get("/v1/catalog/node/other")["Services"])


def bomb() -> bytes:
    """100 MB of zeros in a plausible tar."""
    member = tarfile.TarInfo("state.bin")
    member.size = 100 << 20
    file = io.BytesIO()
    with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=1) as writer:
        writer.write(member.tobuf())
        for _ in range(100):
            writer.write(bytes(1 << 20))
    return file.getvalue()


def with_state(state: bytes) -> bytes:
    return packed({"meta.json": b'{"Index": 1}', "state.bin": state})


def test_a_hostile_archive_changes_nothing_while_others_are_served(new: Administered) -> None:
    pack = packer().pack
    header = pack({"LastIndex": 3})
    rows = header + b"".join(b"\x02" + pack({"Key": f"k{number}"}) for number in range(60_000))
    good = saved([("kvs", KVEntry(0, "a", 0, b"x", 1, 1))])
    hostile = [
        bomb(), with_state(rows + b"\x02\xc1"), with_state(pack({"LastIndex": (1 << 63) - 2})), good[: len(good) // 2],
        with_state(header + b"\x02" + b"\x91" * 100_000), with_state(header + b"\x02\xdf\xff\xff\xff\xff"), b"", b"junk",
        with_state(header + b"\x03" + pack({"ID": "5132fb6d-e794-5a99-1ad7-6bde259de974", "Node": "n", "TTL": "garbage"})),
    ]  # fmt: skip
    new.send("PUT", "/v1/kv/stays", b"here")
    before = new.get("/v1/kv/?recurse")
    finished, answers = threading.Event(), []

    def others() -> None:
        while not finished.is_set():
            answers.append(new.agent.request("GET", "/v1/status/leader")[0])

    thread = threading.Thread(target=others)
    thread.start()
    try:
        for data in hostile:
            served = len(answers)
            status, _, body = new.agent.request("PUT", "/v1/snapshot", data, {"X-Consul-Token": TOKEN})
            assert (status, body[:10]) == (500, b"failed to "), body
            assert len(data) < 1_000_000 or len(answers) > served + 1
    finally:
        finished.set()
        thread.join()
    assert set(answers) == {200}
    assert new.get("/v1/kv/?recurse") == before
    new.send("PUT", "/v1/kv/works", b"yes")
    assert not [path for path in (new.agent.folder / "data").iterdir() if path.name.startswith("snapshot-")]


def test_an_archive_may_be_larger_than_any_other_body(new: Administered) -> None:
    rows = [("kvs", KVEntry(0, f"big/{number}", 0, bytes(500_000), 1, 1)) for number in range(140)]
    data = packed({"meta.json": b"{}", "state.bin": state_of(rows)}, level=0)
    assert len(data) > 64 << 20
    new.restore(data)
    assert len(new.get("/v1/kv/big/?keys")) == 140


def test_the_commands_list_what_is_left_out_and_read_both_formats(new: Administered, tmp_path: Path) -> None:
    environ = {**os.environ, "CONSUL_HTTP_ADDR": new.agent.address, "CONSUL_HTTP_TOKEN": TOKEN}

    def run(*words: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [*PROGRAM, "snapshot", *words], env=environ, capture_output=True, text=True, cwd=tmp_path, check=False
        )
        return done.returncode, done.stdout, done.stderr

    if RECORDED.is_dir():
        code, out, err = run("restore", str(RECORDED / "acl.snap"))
        assert (code, out) == (0, "Restored snapshot\n")
        assert err.startswith("Left out, since pyconsul has no use for it: 1 ConfigEntry service-defaults, ")
        for name in ("plain", "acl"):
            assert run("inspect", str(RECORDED / f"{name}.snap"))[:2] == (
                0,
                (RECORDED / name / "inspect.txt").read_text(),
            )
    code, out, err = run("save", "back.snap")
    assert (code, err) == (0, "")
    assert out.startswith("Saved and verified snapshot to index ")
    files = unpacked((tmp_path / "back.snap").read_bytes())
    assert f" Size         {len(files['state.bin'])}" in run("inspect", "back.snap")[1].splitlines()
    lines = run("decode", "back.snap")[1].splitlines()
    assert json.loads(lines[0])["Type"] == "SnapshotHeader"
    (tmp_path / "cut.snap").write_bytes((tmp_path / "back.snap").read_bytes()[:-20])
    for command in ("inspect", "decode", "restore"):
        code, _, err = run(command, "cut.snap")
        assert code == 1
        assert "failed to read snapshot" in err
    assert run("inspect", str(OLD))[0] == 0
    assert "older pyconsul" in run("decode", str(OLD))[2]
