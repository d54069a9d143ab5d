"""Reads of keys and values."""

from __future__ import annotations

from pyconsul.agent.acl.authorizer import Authorizer
from pyconsul.agent.acl.rules import LIST, READ
from pyconsul.agent.model.kv import KVEntry
from pyconsul.agent.reads.contract import Result
from pyconsul.agent.reads.visibility import visible
from pyconsul.agent.state import kv
from pyconsul.agent.state.contract import View
from pyconsul.agent.state.schemas import KV


def entry(view: View, caller: Authorizer, key: str, raw: bool = False) -> Result:
    """Read one key; with `raw` only its value.  Raises PermissionDenied."""
    if not caller.everything:
        caller.require("key", READ, key)
    found = view[KV].get(key)
    index = kv.index_of_key(view, found)
    topics = (kv.topic(key),)
    if found is None:
        return Result(b"", index, topics, found=False, cacheable=False)
    return Result(found.value or b"" if raw else (found,), index, topics)


def entries_below(view: View, caller: Authorizer, prefix: str, needs_list: bool) -> Result:
    """Read the entries below a prefix; `needs_list`: the caller needs `key:list`.  Raises PermissionDenied."""
    entries, index, filtered = _below(view, caller, prefix, needs_list)
    if not entries:
        return Result(b"", index, ("kvs",), found=False, filtered=filtered)
    return Result(entries, index, (), (kv.topic(prefix),), filtered=filtered)


def keys_below(view: View, caller: Authorizer, prefix: str, separator: str, needs_list: bool) -> Result:
    """Read the keys below a prefix, up to the first separator behind it.  Raises PermissionDenied."""
    entries, index, filtered = _below(view, caller, prefix, needs_list)
    if not entries:
        # Consul distinguishes an empty prefix (404) from an empty store ([]).
        return Result(b"" if prefix else [], index, ("kvs",), found=not prefix, filtered=filtered)
    return Result(kv.keys(entries, prefix, separator), index, (), (kv.topic(prefix),), filtered=filtered)


def _below(view: View, caller: Authorizer, prefix: str, needs_list: bool) -> tuple[list[KVEntry], int, bool]:
    """Return the visible entries, the index of all entries below a prefix, and whether some are hidden."""
    entries = list(view[KV].prefix(prefix))
    index = kv.index_of_prefix(view, prefix, entries)
    if needs_list:
        caller.require("key", LIST, prefix)
    kept, filtered = visible(caller, entries, lambda one: caller.level("key", one.key) >= READ)
    return kept, index, filtered
