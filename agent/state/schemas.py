"""The tables of the state: rows, indexes, and the topics that a change publishes.

Node and service names compare without case.
"""

from __future__ import annotations

from typing import Any

from pyconsul.agent.model.autopilot import AutopilotSettings
from pyconsul.agent.model.check import HealthCheck
from pyconsul.agent.model.coordinate import NodeCoordinate
from pyconsul.agent.model.kv import KVEntry, LockDelay, Tombstone
from pyconsul.agent.model.named_index import NamedIndex
from pyconsul.agent.model.node import Node
from pyconsul.agent.model.query import PreparedQuery
from pyconsul.agent.model.service import ServiceInstance
from pyconsul.agent.model.session import Session
from pyconsul.agent.state import topics
from pyconsul.agent.state.acl.tables import ACL_TABLES
from pyconsul.agent.state.contract import Schema

# Written with every changeset, in addition to the rows (see `changeset.Changeset.indexes`); not among `ALL`.
INDEXES = Schema("indexes", NamedIndex, lambda row: row.name, in_snapshots=False)

KV = Schema(
    "kvs",
    KVEntry,
    lambda row: row.key,
    {"session": lambda row: (row.session,) if row.session else ()},
    ordered=True,
    topics=lambda row: ("kv/" + row.key,),  # `topics.of_key`, without a call: every write of a key runs it
    topics_by_key=True,
)
TOMBSTONES = Schema("tombstones", Tombstone, lambda row: row.key, ordered=True)

LOCK_DELAYS = Schema("lock_delays", LockDelay, lambda row: row.key, in_snapshots=False)

NODES = Schema("nodes", Node, lambda row: row.node.lower(), {"id": lambda row: (row.id.lower(),) if row.id else ()})
SERVICES = Schema(
    "services",
    ServiceInstance,
    lambda row: (row.node.lower(), row.service.id),
    {"name": lambda row: (row.service.service.lower(),), "node": lambda row: (row.node.lower(),)},
    composite=True,
)


def _check_topics(row: HealthCheck) -> list[str]:
    found = [topics.checks_of("node", row.node), topics.checks_of("state", row.status)]
    if row.service_name:
        found.append(topics.checks_of("service", row.service_name))
    return found


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
    topics=_check_topics,
    composite=True,
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
    topics=lambda row: (topics.of_session(row.id), topics.of_node_sessions(row.node)),
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
    composite=True,
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
