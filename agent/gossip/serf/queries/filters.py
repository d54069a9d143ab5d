"""The filters of queries: which members a query is for.

All filters of a query must hold: a list of node names holds for the members in it; a tag filter holds if its regular expression
(RE2) is found anywhere in the value of the tag, "" if the member does not have it. A filter that cannot be read holds for nobody.
Source: Serf's behavior (PROTOCOL, section 8.5).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pyconsul.agent.filter.regexp import RegexpError, compile_regexp
from pyconsul.agent.gossip.wire.errors import DecodeError
from pyconsul.agent.gossip.wire.serf_payloads import NodeFilter, TagFilter, decode_filter, encode_filter


class InvalidFilter(ValueError):
    """A filter of a received query that cannot be read; the text says why."""


def encode_filters(nodes: Sequence[str], tags: Mapping[str, str]) -> tuple[bytes, ...] | None:
    """Return the filters for these nodes (none given: all) and for regular expressions by tag; None without any.

    Raises InvalidFilter for a faulty regular expression, so that it fails here and not at every member.
    """
    filters: list[NodeFilter | TagFilter] = [NodeFilter(tuple(nodes))] if nodes else []
    for tag, expression in tags.items():
        _compile(expression)
        filters.append(TagFilter(tag, expression))
    return tuple(encode_filter(each) for each in filters) or None


def passes(filters: Sequence[bytes] | None, name: str, tags: Mapping[str, str]) -> bool:
    """Return whether a query is for the member of this name and tags. Raises InvalidFilter."""
    return all(_holds(each, name, tags) for each in filters or ())


def _holds(data: bytes, name: str, tags: Mapping[str, str]) -> bool:
    try:
        query_filter = decode_filter(data)
    except DecodeError as error:
        raise InvalidFilter(f"invalid query filter: {error}") from None
    if isinstance(query_filter, NodeFilter):
        return name in query_filter.nodes
    return _compile(query_filter.expression)(tags.get(query_filter.tag, ""))


def _compile(expression: str) -> Callable[[str], bool]:
    try:
        return compile_regexp(expression)
    except RegexpError as error:
        raise InvalidFilter(f"invalid query filter: {error}") from None
