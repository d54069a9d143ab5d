"""One part of the catalog as an agent holds it.  Pure."""

from __future__ import annotations

from typing import Any, TypeVar

from pyconsul.agent.reads.parts import PartChange
from pyconsul.agent.state.contract import Rows, Schema
from pyconsul.agent.state.schemas import CHECKS, NODES, SERVICES
from pyconsul.agent.state.table import Table

R = TypeVar("R")
_TABLES: tuple[Schema[Any], ...] = (NODES, SERVICES, CHECKS)


class PartView:
    """The rows of one part; a `View` of a state that has nothing else.  Its indexes mean nothing."""

    index, restored = 1, 0

    def __init__(self, change: PartChange | None = None) -> None:
        self._tables: dict[str, Table[Any]] = {schema.name: Table(schema) for schema in _TABLES}
        if change is not None:
            self.apply(change)

    def __getitem__(self, schema: Schema[R]) -> Rows[R]:
        return self._tables[schema.name]

    def index_of(self, *names: str) -> int:
        """Return an index."""
        return self.index

    def last_index(self, name: str) -> int | None:
        """Return no index."""
        return None

    def apply(self, change: PartChange) -> bool:
        """Make a change, and return whether any row is affected."""
        if change.full:
            old, self._tables = self._tables, {schema.name: Table(schema) for schema in _TABLES}
        for schema, rows, gone in (
            (NODES, change.nodes, change.gone_nodes),
            (SERVICES, change.services, change.gone_services),
            (CHECKS, change.checks, change.gone_checks),
        ):
            table: Table[Any] = self._tables[schema.name]
            for key in gone:
                table.remove(key)
            for row in rows:
                table.put(row)
        if change.full:
            return any(list(old[name]) != list(table) for name, table in self._tables.items())
        return bool(
            change.nodes
            or change.services
            or change.checks
            or change.gone_nodes
            or change.gone_services
            or change.gone_checks
        )

    def __len__(self) -> int:
        """Return the number of rows."""
        return sum(map(len, self._tables.values()))
