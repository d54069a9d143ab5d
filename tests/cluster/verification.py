"""The promises of a cluster, verified after each fault: nothing confirmed is lost, no index fell, all servers hold the same."""

from __future__ import annotations

import base64
import json
from typing import Any

from cluster.server_cluster import ServerCluster
from cluster.workload import Workload
from support.agent_process import AgentProcess
from support.eventually import eventually
from support.linearizability import check

SAME_S = 30.0
READS = (
    "/v1/kv/?recurse",
    "/v1/catalog/nodes",
    "/v1/catalog/services",
    "/v1/health/state/any",
    "/v1/session/list",
    "/v1/query",
)


def verify(cluster: ServerCluster, workload: Workload, *, is_register: bool = True) -> None:
    """Verify everything once the cluster is whole.  is_register: False: a snapshot was restored meanwhile."""
    for server in cluster.servers:
        require_acknowledged(server, workload)
    assert not workload.falls, workload.falls[:5]
    assert not workload.phantoms, workload.phantoms[:5]
    if is_register:
        check(list(workload.history))
    require_same_rows(cluster)


def require_acknowledged(agent: AgentProcess, workload: Workload) -> None:
    """Require that an agent knows each write that was confirmed."""
    found = {
        row["Key"]: base64.b64decode(row["Value"] or "").decode()
        for row in agent.get(f"/v1/kv/{workload.name}/ledger?recurse")
    }
    lost = {key for key, value in workload.acknowledged.items() if found.get(key) != value}
    assert not lost, (
        f"{len(lost)} of {len(workload.acknowledged)} confirmed writes are lost at {agent.folder.name}: {sorted(lost)[:5]}"
    )


def require_same_rows(cluster: ServerCluster) -> None:
    """Require that all servers come to hold the same rows, by what each answers from its own state."""
    for path in READS:
        eventually(
            lambda path=path: not _differences(cluster, path),
            lambda path=path: _differences(cluster, path),
            patience=SAME_S,
        )


def _differences(cluster: ServerCluster, path: str) -> str:
    """Return in which rows the answers of the servers differ."""
    joint = "&" if "?" in path else "?"
    answers = {server.name: _rows(server.get(f"{path}{joint}stale")) for server in cluster.servers}
    common = set.intersection(*answers.values())
    return "\n".join(
        f"{name} alone has of {path}: {sorted(rows - common)[:5]}" for name, rows in answers.items() if rows - common
    )


def _rows(answer: Any) -> set[str]:
    rows = answer.items() if isinstance(answer, dict) else answer
    return {json.dumps(row, sort_keys=True) for row in rows}
