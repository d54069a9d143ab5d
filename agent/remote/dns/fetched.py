"""The views of one question whose rows servers were asked for."""

from __future__ import annotations

from collections.abc import Mapping

from pyconsul.agent.dnsd.views import NotHeld, Part, QueryResult, Views
from pyconsul.agent.reads.parts import PartChange
from pyconsul.agent.remote.dns.held_part import PartView
from pyconsul.agent.state.contract import View


class FetchedViews:
    """Parts and results of queries that were fetched; for all others the views before them, if there are any."""

    is_lasting = False

    def __init__(
        self, base: Views | None, parts: Mapping[Part, View], queries: Mapping[Part, QueryResult | None]
    ) -> None:
        self._base, self._parts, self._queries = base, parts, queries

    @classmethod
    def with_part(cls, views: FetchedViews | None, part: Part, rows: PartChange) -> FetchedViews:
        """Return views with one more part."""
        if views is None:
            return cls(None, {part: PartView(rows)}, {})
        return cls(views._base, {**views._parts, part: PartView(rows)}, views._queries)

    @classmethod
    def with_query(cls, views: Views, part: Part, result: QueryResult | None) -> FetchedViews:
        """Return views with the result of one more query."""
        if not isinstance(views, FetchedViews):
            return cls(views, {}, {part: result})
        return cls(views._base, views._parts, {**views._queries, part: result})

    def service(self, name: str) -> View:
        """Return a part; likewise below.  Raises NotHeld."""
        part = Part("service", name.lower())
        return self._parts[part] if part in self._parts else self._before(part).service(name)

    def node(self, name: str) -> View:
        part = Part("node", name.lower())
        return self._parts[part] if part in self._parts else self._before(part).node(name)

    def address(self, text: str) -> View:
        part = Part("address", text.lower())
        return self._parts[part] if part in self._parts else self._before(part).address(text)

    def query(self, name: str, source: str) -> QueryResult | None:
        """Return the result of a query.  Raises NotHeld."""
        part = Part("query", name, source)
        return self._queries[part] if part in self._queries else self._before(part).query(name, source)

    def _before(self, part: Part) -> Views:
        if self._base is None:
            raise NotHeld(part)
        return self._base
