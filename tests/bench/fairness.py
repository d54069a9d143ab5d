"""How long other requests wait while the agent does something large: the slowest of reads that are sent all the time."""

from __future__ import annotations

import base64
import json
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from support.agent_process import PROGRAM, AgentProcess
from support.raw_http import Raw

from bench.rows import Row, row

AIM_S = 0.05  # that no other request takes longer than
MANAGEMENT = "11111111-1111-1111-1111-111111111111"
KEYS = 100_000
RULES, POLICIES = 100_000, 8  # of one token: the rules of all its policies together
TOGETHER = 128  # keys in one transaction
VALUE = base64.b64encode(b"a value of some length, as settings have them").decode()


def fill(agent: AgentProcess, prefix: str = "bulk", count: int = KEYS) -> None:
    """Write keys, as `kv import` does."""
    with Raw(agent.http_port) as raw:
        for start in range(0, count, TOGETHER):
            operations = [
                {"KV": {"Verb": "set", "Key": f"{prefix}/{number % 100:02}/{number:06}", "Value": VALUE}}
                for number in range(start, min(count, start + TOGETHER))
            ]
            body = json.dumps(operations).encode()
            answer = raw.ask("PUT /v1/txn", f"Content-Length: {len(body)}", body=body)
            assert answer.status == 200, answer.body


def slowest_meanwhile(agent: AgentProcess, work: Callable[[], object], token: str = "") -> tuple[float, float]:
    """Seconds that the slowest other read took while `work` ran, and that `work` took."""
    running = threading.Event()
    running.set()
    slowest = [0.0]
    headers = (f"X-Consul-Token: {token}",) if token else ()

    def read() -> None:
        with Raw(agent.http_port) as raw:
            number = 0
            while running.is_set():
                number += 1
                started = time.perf_counter()
                answer = raw.ask(f"GET /v1/kv/probe?raw&n={number}", *headers)
                slowest[0] = max(slowest[0], time.perf_counter() - started)
                assert answer.status == 200, answer.body
                time.sleep(0.002)

    agent.request("PUT", "/v1/kv/probe", b"1", {"X-Consul-Token": token})
    reader = threading.Thread(target=read)
    reader.start()
    time.sleep(0.2)
    slowest[0] = 0.0
    started = time.perf_counter()
    try:
        work()
    finally:
        took = time.perf_counter() - started
        running.clear()
        reader.join()
    return slowest[0], took


def fairness_rows(agent: AgentProcess) -> dict[str, float]:
    """Return the slowest other read (seconds) during each large operation, on an agent with a data folder and its history on."""
    rows = {"import of 100,000 keys": slowest_meanwhile(agent, lambda: fill(agent))[0]}
    index = int(agent.request("GET", "/v1/kv/bulk/?keys")[1]["x-consul-index"])
    snapshot = agent.request("GET", "/v1/snapshot", timeout=120)[2]

    def expect(method: str, path: str, body: bytes | None = None) -> None:
        status, _, text = agent.request(method, path, body, timeout=120)
        assert status == 200, text

    tree = [{"KV": {"Verb": "delete-tree", "Key": "bulk/"}}]
    for name, work in {
        "reading 100,000 keys": lambda: expect("GET", "/v1/kv/bulk/?recurse"),
        "snapshot of 100,000 keys": lambda: expect("GET", "/v1/snapshot"),
        "delete-tree of 100,000 keys in a transaction": lambda: expect("PUT", "/v1/txn", json.dumps(tree).encode()),
        "rollback of 100,000 keys": lambda: roll_back(agent, index),
        "recursive delete of 100,000 keys": lambda: expect("DELETE", "/v1/kv/bulk/?recurse"),
        "history of 100,000 keys": lambda: expect("GET", f"/v1/pyconsul/kv-history/bulk/?recurse&at={index}"),
        "restore of 100,000 keys": lambda: expect("PUT", "/v1/snapshot", snapshot),
    }.items():
        rows[name] = slowest_meanwhile(agent, work)[0]
    return rows


def roll_back(agent: AgentProcess, index: int) -> None:
    """Bring all keys back as they were, with the command."""
    command = [*PROGRAM, "kv", "rollback", "-apply", f"-http-addr={agent.address}", f"bulk/@{index}"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    assert f"{KEYS} created" in done.stdout, done.stdout[-300:]


def huge_token_row(agent: AgentProcess, management: str) -> float:
    """Return the slowest other read (seconds) while a token with 100,000 rules is used for the first time."""
    root = {"X-Consul-Token": management}
    each = RULES // POLICIES
    for policy in range(POLICIES):
        names = range(policy * each, (policy + 1) * each)
        rules = "\n".join(f'key_prefix "app/{number:06}/" {{ policy = "write" }}' for number in names)
        status, _, text = agent.request("PUT", "/v1/acl/policy", {"Name": f"p{policy}", "Rules": rules}, root)
        assert status == 200, text
    token = {"Policies": [{"Name": f"p{policy}"} for policy in range(POLICIES)]}
    secret = json.loads(agent.request("PUT", "/v1/acl/token", token, root)[2])["SecretID"]

    def use() -> None:
        status, _, text = agent.request("PUT", "/v1/kv/app/000001/x", b"1", {"X-Consul-Token": secret})
        assert status == 200, text

    return slowest_meanwhile(agent, use, management)[0]


def fairness() -> Iterator[Row]:
    """Against the aim, since nothing else does the same work."""
    limits = {"http_max_conns_per_client": 0}
    acl = {"enabled": True, "default_policy": "deny", "tokens": {"initial_management": MANAGEMENT}}
    found: dict[str, float] = {}
    for name, config in (("data", {}), ("acl", {"acl": acl})):
        with tempfile.TemporaryDirectory(prefix="pyconsul-") as folder:
            agent = AgentProcess(Path(folder), data_dir=Path(folder) / name, limits=limits, **config)
            try:
                agent.start()
                if config:
                    found["first use of 100,000 rules"] = huge_token_row(agent, MANAGEMENT)
                else:
                    found |= fairness_rows(agent)
            finally:
                agent.stop()
    for what, slowest in found.items():
        yield row(f"slowest other read, {what}", slowest * 1000, AIM_S * 1000, "ms", 0, inverse=True)
