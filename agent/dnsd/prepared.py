"""Executes prepared queries for DNS: from a name to instances, and to the topics that the answer depends on."""

from __future__ import annotations

import random
from collections.abc import Callable

from pyconsul.agent.acl.authorizer import Authorizer
from pyconsul.agent.common.go.durations import SECOND_NS, parse_go_duration_ns
from pyconsul.agent.dnsd.views import ExecuteQuery, QueryResult
from pyconsul.agent.model.query import PreparedQuery
from pyconsul.agent.queries import execute as running
from pyconsul.agent.reads.visibility import sees_instance
from pyconsul.agent.state import queries, topics
from pyconsul.agent.state.catalog import coordinates
from pyconsul.agent.state.contract import Refused, View


def query_executor(
    view: View, caller: Callable[[], Authorizer], node: str, datacenter: str, rng: random.Random
) -> ExecuteQuery:
    """Return the function that executes queries for `name.query`, on the agent of a node."""

    def run(name: str, source: str, /) -> QueryResult | None:
        try:
            query = running.resolve(view, name)
        except Refused:
            return None
        if query is None:
            return None
        permissions = caller()
        found = [
            one
            for one in running.execute(view, query, running.Asker(node, source), rng.random)
            if permissions.everything or sees_instance(permissions, one.node.node, one.service.service)
        ]
        return QueryResult(
            query.service.service, datacenter, found, _ttl(query), _topics(query), bool(query.service.near)
        )

    return run


def _ttl(query: PreparedQuery) -> int | None:
    return parse_go_duration_ns(query.dns.ttl) // SECOND_NS if query.dns.ttl else None


def _topics(query: PreparedQuery) -> tuple[str, ...]:
    """The topics of the answer; one that depends on the client cannot be cached."""
    if query.service.near == running.ADDRESS:
        return ()
    depends = (queries.TOPIC, topics.of_service(query.service.service))
    return (*depends, coordinates.TOPIC) if query.service.near else depends
