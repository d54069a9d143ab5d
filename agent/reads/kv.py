"""Reads of keys and values.  A long list is read in steps: the state may change between two of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pyconsul.agent.acl.authorizer import Authorizer
from pyconsul.agent.acl.rules import LIST, READ
from pyconsul.agent.common.steps import Steps
from pyconsul.agent.model.kv import KVEntry
from pyconsul.agent.reads.contract import Result
from pyconsul.agent.reads.visibility import visible
from pyconsul.agent.state import kv
from pyconsul.agent.state.contract import View
from pyconsul.agent.state.schemas import KV

LARGE = 4096  # keys from which a list is read in steps
STEP = 512  # keys
MAX_ATTEMPTS = 4  # to read a list in steps while it is written
MAX_EXAMINED = 20_000  # keys that are looked at to find those of a caller, or some for people to read


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


def is_large(view: View, prefix: str) -> bool:
    """Return whether a list is to be read in steps."""
    return len(view[KV]) >= LARGE and len(view[KV].keys(prefix)) >= LARGE


def entries_in_steps(
    view: View, caller: Authorizer, prefix: str, needs_list: bool, encode: Callable[[Any], bytes]
) -> Steps[Result]:
    """Read the entries below a prefix as `entries_below` does; the value of the result is their JSON."""
    entries, index, filtered = yield from _below_in_steps(view, caller, prefix, needs_list)
    if not entries:
        return Result(b"", index, ("kvs",), found=False, filtered=filtered)
    value = yield from _json(entries, encode)
    return Result(value, index, (), (kv.topic(prefix),), filtered=filtered)


def keys_in_steps(
    view: View, caller: Authorizer, prefix: str, separator: str, needs_list: bool, encode: Callable[[Any], bytes]
) -> Steps[Result]:
    """Read the keys below a prefix as `keys_below` does; the value of the result is their JSON."""
    entries, index, filtered = yield from _below_in_steps(view, caller, prefix, needs_list)
    if not entries:
        return Result(b"" if prefix else b"[]", index, ("kvs",), found=not prefix, filtered=filtered)
    names: dict[str, None] = {}
    for start in range(0, len(entries), STEP):
        names.update(dict.fromkeys(kv.keys(entries[start : start + STEP], prefix, separator)))
        yield
    value = yield from _json(list(names), encode)
    return Result(value, index, (), (kv.topic(prefix),), filtered=filtered)


def _json(items: list[Any], encode: Callable[[Any], bytes]) -> Steps[bytes]:
    """Encode a list that is not empty."""
    parts: list[bytes] = []
    for start in range(0, len(items), STEP):
        parts.append(encode(items[start : start + STEP])[1:-1])
        yield
    parts[0] = b"[" + parts[0]  # not around the joined text, which would be copied once more
    parts[-1] += b"]"
    return b",".join(parts)


def _below_in_steps(
    view: View, caller: Authorizer, prefix: str, needs_list: bool
) -> Steps[tuple[list[KVEntry], int, bool]]:
    """Read as `_below` does, all of one moment: start over when an entry has changed meanwhile, and at last read at once."""
    if needs_list:
        caller.require("key", LIST, prefix)
    for _ in range(MAX_ATTEMPTS):
        entries = yield from _unchanged(view, prefix)
        if entries is not None:
            break
    else:
        return _below(view, caller, prefix, needs_list)
    found, index = entries
    kept: list[KVEntry] = []
    any_filtered = False
    for start in range(0, len(found), STEP):
        some, filtered = visible(caller, found[start : start + STEP], lambda one: caller.level("key", one.key) >= READ)
        kept += some
        any_filtered |= filtered
        yield
    return kept, index, any_filtered


def _unchanged(view: View, prefix: str) -> Steps[tuple[list[KVEntry], int] | None]:
    """Return the entries below a prefix and their index, as they are now; None when one changes before it is read."""
    began, table = view.index, view[KV]
    keys, newest = table.keys(prefix), kv.newest_deletion(view, prefix)
    entries: list[KVEntry] = []
    for start in range(0, len(keys), STEP):
        if view[KV] is not table:  # a restore, or a large change
            return None
        some = keys[start : start + STEP]
        found = [entry for entry in map(table.get, some) if entry is not None]
        last = kv.newest_index(found)
        if len(found) < len(some) or last > began:
            return None
        entries += found
        newest = max(newest, last)
        yield
    return entries, kv.index_of_changes(view, newest)


@dataclass(frozen=True, slots=True)
class Child:
    """A key in a folder, or a folder in it.

    name: the whole key or prefix.   entry: of a key, None for a folder.   keys: of a folder, how many the caller sees below.
    """

    name: str
    entry: KVEntry | None = None
    keys: int = 0


@dataclass(frozen=True, slots=True)
class Listing:
    """Some rows for people to read.  is_complete: False if there are more, which were not looked at."""

    rows: list[Any]
    is_complete: bool = True


def children(view: View, caller: Authorizer, folder: str, needs_list: bool, most: int) -> Steps[Result]:
    """Read the children of a folder, a `Listing` of at most `most`: keys and folders; the keys of a folder do not count.

    Raises PermissionDenied.
    """
    if needs_list:
        caller.require("key", LIST, folder)
    found: list[Child] = []
    at, left, table, batch = folder, MAX_EXAMINED, view[KV], 1
    while len(found) < most and left > 0:
        some = table.keys_from(folder, at, min(batch, most - len(found)))
        if not some:
            return Result(Listing(found), view.index, (), (kv.topic(folder),))
        batch = min(2 * batch, STEP)
        for key in some:
            if end := key.find("/", len(folder)) + 1:
                name = key[:end]
                count, left = _count_below(view, caller, name, left)
                found += [Child(name, None, count)] if count else []
                at, batch = name[:-1] + chr(ord("/") + 1), 1  # the keys after it are in this folder
                break
            entry = table.get(key) if caller.level("key", key) >= READ else None
            found += [Child(key, entry)] if entry is not None else []
            at, left = key + "\0", left - (entry is None)
        yield
    return Result(Listing(found, is_complete=False), view.index, (), (kv.topic(folder),))


def _count_below(view: View, caller: Authorizer, folder: str, left: int) -> tuple[int, int]:
    """Return how many keys a caller sees below a folder, and how many more may be looked at."""
    if caller.everything:
        return view[KV].count(folder), left
    names = view[KV].keys_from(folder, folder, left)
    return sum(caller.level("key", name) >= READ for name in names), left - len(names)


def some_below(view: View, caller: Authorizer, prefix: str, needs_list: bool, most: int) -> Steps[Result]:
    """Read the first entries below a prefix, a `Listing`: at most `most` keys are looked at.  Raises PermissionDenied.

    Entries that are written meanwhile may be missing.
    """
    if needs_list:
        caller.require("key", LIST, prefix)
    found: list[KVEntry] = []
    at, left = prefix, most
    while some := view[KV].keys_from(prefix, at, min(STEP, left + 1)):
        entries = map(view[KV].get, some[:left])
        found += [entry for entry in entries if entry is not None and caller.level("key", entry.key) >= READ]
        if len(some) > left:
            return Result(Listing(found, is_complete=False), view.index, (), (kv.topic(prefix),))
        at, left = some[-1] + "\0", left - len(some)
        yield
    return Result(Listing(found), view.index, (), (kv.topic(prefix),))
