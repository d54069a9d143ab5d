"""Prepared queries: reads, and the writes that set and remove them.

A query is found by its ID or its name (without case); a template by the longest name that is a prefix of the requested one.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from pyconsul.agent.common.uuids import is_uuid
from pyconsul.agent.model.query import PreparedQuery
from pyconsul.agent.state.contract import Refused, View
from pyconsul.agent.state.schemas import QUERIES, SESSIONS
from pyconsul.agent.state.write_txn import WriteTxn

TOPIC = "prepared-queries"  # the index, and what watchers of queries wait for


def all_queries(view: View) -> list[PreparedQuery]:
    """Return every query, by ID."""
    return sorted(view[QUERIES], key=QUERIES.key)


def get(view: View, query_id: str) -> PreparedQuery | None:
    """Return the query of an ID.  Raises Refused for a malformed ID."""
    if len(query_id) != 36:
        raise Refused("failed prepared query lookup: index error: UUID must be 36 characters")
    if not is_uuid(query_id):
        raise Refused("failed prepared query lookup: index error: invalid UUID")
    return view[QUERIES].get(query_id.lower())


def find(view: View, asked: str) -> PreparedQuery | None:
    """Return the query or template for an ID or a name.  Raises Refused for a template's ID."""
    if not asked:
        raise Refused("Missing Query ID")
    if is_uuid(asked) and (found := view[QUERIES].get(asked.lower())):
        if found.template.type:
            raise Refused("prepared query templates can only be resolved up by name, not by ID")
        return found
    return _named(view, asked.lower())


def _named(view: View, name: str) -> PreparedQuery | None:
    """Return the query with a name, or the template with the longest name that this one begins with."""
    rows = view[QUERIES]
    if not len(rows):
        return None
    if named := rows.by("name", name):
        return named[0]
    for length in range(len(name), -1, -1):
        if found := rows.by("template", name[:length]):
            return found[0]
    return None


def set_query(txn: WriteTxn, query: PreparedQuery, check_template: Callable[[PreparedQuery], None]) -> None:
    """Add or replace a query by its ID; a template is given to `check_template`, which raises Refused for a bad one.

    Raises Refused when another query has its name, or its session does not exist.
    """
    old = txn[QUERIES].get(query.id)
    _refuse_taken(txn, query)
    if query.session and txn[SESSIONS].get(query.session) is None:
        raise Refused(f'invalid session "{query.session}"')
    if query.template.type:
        check_template(query)
    created = old.create_index if old else txn.index
    txn.put(QUERIES, replace(query, create_index=created, modify_index=txn.index))
    txn.raise_index(TOPIC)


def _refuse_taken(txn: WriteTxn, query: PreparedQuery) -> None:
    rows = txn[QUERIES]
    if query.name:
        if any(other.id != query.id for other in rows.by("name", query.name.lower())):
            raise Refused(f"name '{query.name}' aliases an existing query name")
    elif query.template.type and any(other.id != query.id for other in rows.by("template", "")):
        raise Refused("a query template with an empty name already exists")
    if is_uuid(query.name) and rows.get(query.name.lower()) is not None:
        raise Refused(f"name '{query.name}' aliases an existing query ID")


def delete_query(txn: WriteTxn, query_id: str) -> None:
    """Remove a query; a missing one is ignored."""
    if txn[QUERIES].get(query_id) is not None:
        txn.delete(QUERIES, query_id)
        txn.raise_index(TOPIC)
