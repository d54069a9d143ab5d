"""Convert watch events of etcd to changesets: the events of one revision are one commit."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from aetcd import rpc

from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.engine.etcd.layout import Layout
from pyconsul.agent.state import codec
from pyconsul.agent.state.changeset import Changeset
from pyconsul.agent.state.contract import Schema

_DELETED = rpc.Event.EventType.DELETE

log = logging.getLogger("agent.engine")


class Commit(NamedTuple):
    """A commit in a watch; `own_id`: its ID when this server made it, else 0; coverage: of the history."""

    revision: int
    first: int
    last: int
    time: float
    own_id: int
    own_revision: int
    written: Sequence[tuple[bytes, bytes | None]]
    coverage: bytes | None
    large: bytes


def commits(events: Iterable[Any], layout: Layout) -> Iterator[Commit]:
    """Return the commits in the events of a watch on `P/E/state/`; one that wrote no `index` has the index 0."""
    for revision, group in groupby(events, key=lambda event: event.kv.mod_revision):
        first = last = own_id = own_revision = 0
        time, coverage, large, rows = 0.0, None, b"", []
        for event in group:
            key = event.kv.key
            if key == layout.index:
                fields = event.kv.value.split()
                first, last, time = int(fields[0]), int(fields[1]), float(fields[2])
            elif key == layout.own_commit:
                own_id, own_revision = int(event.kv.value or 0), revision
            elif key == layout.history_coverage:
                coverage = event.kv.value
            elif key == layout.large:
                large = event.kv.value
            else:
                rows.append((key, None if event.type == _DELETED else event.kv.value))
        yield Commit(revision, first, last, time, own_id, own_revision, rows, coverage, large)


def changeset_of(
    commit: Commit, written: Iterable[tuple[bytes, bytes | None]], layout: Layout, schemas: Mapping[str, Schema[Any]]
) -> Changeset:
    """Return the changeset of a commit; `written`: keys and values, None for one that is deleted.

    Raises EngineError for a row that cannot be read.
    """
    changeset = Changeset(commit.last, commit.time, first=commit.first)
    for key, value in written:
        if key.startswith(layout.rows):
            table, text = layout.split_row(key)
            schema = schemas.get(table)
            if schema is None:
                log.warning("a row of the table %r is ignored: a newer agent wrote it", table)
                continue
            row = None if value is None else row_of(schema, text, value)
            changeset.writes.append((schema, codec.key_of(schema, text), row))
        elif key.startswith(layout.named):
            changeset.indexes[key[len(layout.named) :].decode()] = None if value is None else int(value)
    return changeset


def row_of(schema: Schema[Any], text: str, data: bytes) -> Any:
    """Return a stored row.  Raises EngineError."""
    try:
        return codec.decode_row(schema, codec.key_of(schema, text), data)
    except ValueError as error:
        raise EngineError(f"the row {text!r:.100} of {schema.name} in etcd cannot be read: {error}") from error
