"""Every table of the state: what its rows are, and what they are found by.  Node and service names compare without case."""

from __future__ import annotations

from typing import Any

from pyconsul.agent.model.autopilot import AutopilotSettings
from pyconsul.agent.model.check import HealthCheck
from pyconsul.agent.model.coordinate import NodeCoordinate
from pyconsul.agent.model.kv import KVEntry, LockDelay, Tombstone
from pyconsul.agent.model.node import Node
from pyconsul.agent.model.query import PreparedQuery
from pyconsul.agent.model.service import ServiceInstance
from pyconsul.agent.model.session import Session
from pyconsul.agent.state.acl.tables import ACL_TABLES
from pyconsul.agent.state.contract import Schema

KV = Schema(
    "kvs", KVEntry, lambda row: row.key, {"session": lambda row: (row.session,) if row.session else ()}, ordered=True
)
TOMBSTONES = Schema("tombstones", Tombstone, lambda row: row.key, ordered=True)

LOCK_DELAYS = Schema("lock_delays", LockDelay, lambda row: row.key, in_snapshots=False)

NODES = Schema("nodes", Node, lambda row: row.node.lower(), {"id": lambda row: (row.id.lower(),) if row.id else ()})
SERVICES = Schema(
    "services",
    ServiceInstance,
    lambda row: (row.node.lower(), row.service.id),
    {"name": lambda row: (row.service.service.lower(),), "node": lambda row: (row.node.lower(),)},
)
CHECKS = Schema(
    "checks",
    HealthCheck,
    lambda row: (row.node.lower(), row.check_id),
    {
        "node": lambda row: (row.node.lower(),),
        "service": lambda row: (row.service_name.lower(),) if row.service_name else (),
        "instance": lambda row: ((row.node.lower(), row.service_id),),
        "status": lambda row: (row.status,),
    },
)
SESSIONS = Schema(
    "sessions",
    Session,
    lambda row: row.id,
    {
        "node": lambda row: (row.node.lower(),),
        "check": lambda row: [
            (row.node.lower(), check) for check in [*(row.node_checks or ()), *(c.id for c in row.service_checks or ())]
        ],
    },
)

QUERIES = Schema(
    "prepared-queries",
    PreparedQuery,
    lambda row: row.id,
    {
        "name": lambda row: (row.name.lower(),) if row.name else (),
        "template": lambda row: (row.name.lower(),) if row.template.type else (),
        "session": lambda row: (row.session,) if row.session else (),
    },
)
COORDINATES = Schema(
    "coordinates",
    NodeCoordinate,
    lambda row: (row.node.lower(), row.segment),
    {"node": lambda row: (row.node.lower(),)},
)
AUTOPILOT = Schema("autopilot", AutopilotSettings, lambda row: "settings")

ALL: tuple[Schema[Any], ...] = (
    KV,
    TOMBSTONES,
    LOCK_DELAYS,
    NODES,
    SERVICES,
    CHECKS,
    SESSIONS,
    QUERIES,
    COORDINATES,
    AUTOPILOT,
    *ACL_TABLES,
)
