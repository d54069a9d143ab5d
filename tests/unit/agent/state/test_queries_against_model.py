"""Prepared queries are held to a plain dictionary: random changes, sessions that end, and look-ups by every name."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pyconsul.agent.model.node import Node
from pyconsul.agent.model.query import NAME_PREFIX_MATCH, PreparedQuery, ServiceQuery, Template
from pyconsul.agent.model.session import Session
from pyconsul.agent.state import queries, sessions
from pyconsul.agent.state.catalog import nodes
from pyconsul.agent.state.contract import Refused
from pyconsul.agent.state.schemas import QUERIES
from pyconsul.agent.state.store import Store
from pyconsul.agent.state.write_txn import WriteTxn

IDS = [f"{n}" * 8 + "-0000-0000-0000-000000000000" for n in range(4)]
NAMES = ["", "a", "A", "ab", "abc", "b", IDS[0]]
SESSIONS = ["s1", "s2"]
ASKED = [*NAMES[1:], "abcd", "ax", "zz", *IDS]

CHANGES = st.one_of(
    st.tuples(
        st.just("set"),
        st.sampled_from(IDS),
        st.sampled_from(NAMES),
        st.booleans(),
        st.sampled_from(["", *SESSIONS, "x"]),
    ),
    st.tuples(st.just("delete"), st.sampled_from(IDS)),
    st.tuples(st.just("end"), st.sampled_from(SESSIONS)),
)


def refused(rows: dict[str, PreparedQuery], query: PreparedQuery, living: set[str]) -> bool:
    others = [row for row in rows.values() if row.id != query.id]
    if query.name and any(row.name.lower() == query.name.lower() for row in others):
        return True
    if not query.name and query.template.type and any(row.template.type and not row.name for row in others):
        return True
    return query.name.lower() in rows or (query.session != "" and query.session not in living)


def expected(rows: dict[str, PreparedQuery], asked: str) -> PreparedQuery | str | None:
    if asked in rows:
        return "refused" if rows[asked].template.type else rows[asked]
    for row in rows.values():
        if row.name and row.name.lower() == asked.lower():
            return row
    fitting = [row for row in rows.values() if row.template.type and asked.lower().startswith(row.name.lower())]
    return max(fitting, key=lambda row: len(row.name), default=None)


@given(st.lists(CHANGES, max_size=25))
def test_queries_against_a_dictionary(changes: list[tuple[object, ...]]) -> None:
    store = Store()
    txn = WriteTxn(store)
    txn.begin(1, 0.0)
    nodes.ensure_node(txn, Node("", "n", "10.0.0.1", "dc1", None, None, 0, 0))
    for session in SESSIONS:
        sessions.create(txn, Session(session, "", "n", 0, "release", "", [], None, 0, 0))
    store.install(txn.finish())
    rows: dict[str, PreparedQuery] = {}
    living = set(SESSIONS)
    for number, (kind, *rest) in enumerate(changes, 2):
        txn = WriteTxn(store)
        txn.begin(number, 0.0)
        if kind == "set":
            query_id, name, is_template, session = (str(rest[0]), str(rest[1]), bool(rest[2]), str(rest[3]))
            template = Template(NAME_PREFIX_MATCH) if is_template else Template()
            query = PreparedQuery(
                id=query_id, name=name, session=session, template=template, service=ServiceQuery("web")
            )
            wrong = refused(rows, query, living)
            try:
                queries.set_query(txn, query, lambda query: None)
                assert not wrong
                rows[query_id] = query
            except Refused:
                assert wrong
                txn.roll_back()
        elif kind == "delete":
            queries.delete_query(txn, str(rest[0]))
            rows.pop(str(rest[0]), None)
        else:
            sessions.destroy(txn, str(rest[0]))
            living.discard(str(rest[0]))
            rows = {key: row for key, row in rows.items() if row.session != rest[0]}
        changed = QUERIES.name in {schema.name for schema, _, _ in txn.finish().writes}
        assert changed == (queries.TOPIC in txn.finish().indexes)
        store.install(txn.finish())
        assert {row.id: row.name for row in queries.all_queries(store)} == {row.id: row.name for row in rows.values()}
        for asked in ASKED:
            wanted = expected(rows, asked)
            try:
                answer = queries.find(store, asked)
                assert (answer.id if answer else None) == (wanted.id if isinstance(wanted, PreparedQuery) else wanted)
            except Refused:
                assert wanted == "refused"
