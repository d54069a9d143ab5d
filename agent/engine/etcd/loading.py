"""Reads the whole state from etcd at one revision."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyconsul.agent.engine.etcd import transaction
from pyconsul.agent.engine.etcd.client import Client
from pyconsul.agent.engine.etcd.events import row_of
from pyconsul.agent.engine.etcd.history.changes import Coverage, read_coverage
from pyconsul.agent.engine.etcd.large import Marker, marker_of
from pyconsul.agent.engine.etcd.layout import Layout, end_of
from pyconsul.agent.engine.etcd.pages import pages
from pyconsul.agent.engine.etcd.transaction import Known
from pyconsul.agent.model.named_index import NamedIndex
from pyconsul.agent.state.contract import Schema
from pyconsul.agent.state.schemas import INDEXES

log = logging.getLogger("agent.engine")


@dataclass(frozen=True, slots=True)
class State:
    """The state of one epoch."""

    rows: list[tuple[str, Any]]
    index: int
    known: Known
    coverage: Coverage
    large: Marker | None  # a large commit that is not carried out yet: rows are missing


async def load(client: Client, layout: Layout, schemas: Mapping[str, Schema[Any]], revision: int) -> State:
    """Return the state of an epoch.  Raises RevisionCompacted, EngineError."""
    rows: list[tuple[str, Any]] = []
    index, known, coverage, large = 0, Known(0, 0), Coverage(), None
    unknown: set[str] = set()
    async for page in pages(client, layout.state, end_of(layout.state), revision):
        for found in page:
            key, value = found.key, found.value
            if key.startswith(layout.rows):
                table, text = layout.split_row(key)
                schema = schemas.get(table)
                if schema is None:
                    unknown.add(table)
                else:
                    rows.append((table, row_of(schema, text, value)))
            elif key.startswith(layout.named):
                rows.append((INDEXES.name, NamedIndex(key[len(layout.named) :].decode(), int(value))))
            elif key == layout.index:
                index = transaction.last_index(value)
                known = known._replace(index_revision=found.mod_revision)
            elif key == layout.own_commit:
                known = known._replace(own_revision=found.mod_revision)
            elif key == layout.large:
                large = marker_of(value, found.mod_revision)
            elif key == layout.history_coverage:
                coverage = read_coverage(value)
    for table in sorted(unknown):
        log.warning("the rows of the table %r are ignored: a newer agent wrote them", table)
    return State(rows, index, known, coverage, large)
