"""The key-value store: reads, and the writes with check-and-set and locks.

Semantics: https://developer.hashicorp.com/consul/api-docs/kv.  Writes return whether they took place.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter

from pyconsul.agent.common.steps import Steps
from pyconsul.agent.model.kv import KVEntry, Tombstone
from pyconsul.agent.state import topics
from pyconsul.agent.state.contract import Refused, View
from pyconsul.agent.state.schemas import KV, LOCK_DELAYS, SESSIONS, TOMBSTONES
from pyconsul.agent.state.write_txn import WriteTxn

TOMBSTONE_TTL = 15 * 60.0  # seconds, Consul's


topic = topics.of_key
_modify_index = attrgetter("modify_index")


def index_of_key(view: View, entry: KVEntry | None) -> int:
    """Return the index of a response about one key: its own, or the table's when the key is missing."""
    if entry is None:
        return view.index_of("kvs")
    return entry.modify_index if entry.modify_index > view.restored else view.restored


def index_of_prefix(view: View, prefix: str, entries: Iterable[KVEntry]) -> int:
    """Return the index of a response about a prefix: the newest entry or deletion below it, else the table's."""
    return index_of_changes(view, max(newest_index(entries), newest_deletion(view, prefix)))


def newest_index(entries: Iterable[KVEntry]) -> int:
    """Return the highest ModifyIndex of entries; 0 without any."""
    return max(map(_modify_index, entries), default=0)


def newest_deletion(view: View, prefix: str) -> int:
    """Return the index of the newest known deletion below a prefix; 0 for none."""
    deleted = view[TOMBSTONES].prefix(prefix) if len(view[TOMBSTONES]) else ()
    return max((stone.index for stone in deleted), default=0)


def index_of_changes(view: View, newest: int) -> int:
    """Return the index of a response about a prefix from that of its newest change, or the table's for 0."""
    return max(newest, view.restored) if newest else view.index_of("kvs")


def keys(entries: Iterable[KVEntry], prefix: str, separator: str) -> list[str]:
    """Return the keys of a prefix's entries, cut after the first separator behind the prefix, without duplicates."""
    if not separator:
        return [entry.key for entry in entries]
    found: dict[str, None] = {}
    for entry in entries:
        end = entry.key.find(separator, len(prefix))
        found[entry.key if end < 0 else entry.key[: end + len(separator)]] = None
    return list(found)


def put(txn: WriteTxn, key: str, value: bytes | None, flags: int, cas: int | None = None) -> bool:
    """Write a key.  With `cas`, only when it equals the ModifyIndex (0: only when the key does not exist)."""
    old = txn[KV].get(key)
    if cas is not None and cas != (old.modify_index if old else 0):
        return False
    _write(txn, old, KVEntry(0, key, flags, value or None, txn.index, txn.index, old.session if old else ""))
    return True


def acquire(txn: WriteTxn, key: str, value: bytes | None, flags: int, session: str) -> bool:
    """Lock a key with a session and write it; False when another session holds it, or held it until a moment ago.

    Raises Refused when the session does not exist.
    """
    if not session:
        raise Refused("missing session")
    delay = txn[LOCK_DELAYS].get(key)
    if delay is not None:
        if delay.until > txn.now:
            return False
        txn.delete(LOCK_DELAYS, key)
    if txn[SESSIONS].get(session) is None:
        raise Refused(f'invalid session "{session}"')
    old = txn[KV].get(key)
    if old is not None and old.session not in ("", session):
        return False
    locks = 1 if old is None else old.lock_index + (old.session != session)
    _write(txn, old, KVEntry(locks, key, flags, value or None, txn.index, txn.index, session))
    return True


def release(txn: WriteTxn, key: str, value: bytes | None, flags: int, session: str) -> bool:
    """Write a key and give up its lock; False when the session does not hold it.  Raises Refused without a session."""
    if not session:
        raise Refused("missing session")
    old = txn[KV].get(key)
    if old is None or old.session != session:
        return False
    _write(txn, old, KVEntry(old.lock_index, key, flags, value or None, txn.index, txn.index))
    return True


def delete(txn: WriteTxn, key: str, cas: int | None = None, *, purge: bool = False) -> bool:
    """Delete a key.  With `cas`, only when it equals the ModifyIndex; a missing key counts as deleted.

    With `purge` its history is deleted as well, even when the key itself does not exist any more.
    """
    old = txn[KV].get(key)
    if old is not None and cas is not None and cas != old.modify_index:
        return False
    if old is not None:
        _remove(txn, old)
    if purge:
        txn.purge(key)
    return True


def delete_tree(txn: WriteTxn, prefix: str, *, purge: bool = False) -> Steps[None]:
    """Delete every key below a prefix, one in each step; with `purge` the history of all that begin with it, too."""
    if purge:
        txn.purge(prefix, tree=True)
    for entry in txn[KV].prefix(prefix):
        _remove(txn, entry)
        yield


def has_old_tombstones(view: View, now: float) -> bool:
    """Return whether there are tombstones to drop."""
    return any(stone.time < now - TOMBSTONE_TTL for stone in view[TOMBSTONES])


def forget_tombstones(txn: WriteTxn) -> Steps[None]:
    """Drop the tombstones older than 15 minutes; the index of their prefixes may fall, as Consul's does."""
    for stone in txn[TOMBSTONES]:  # deletions are laid over the table, which stays as it is
        if stone.time < txn.now - TOMBSTONE_TTL:
            txn.delete(TOMBSTONES, stone.key)
        yield


def _write(txn: WriteTxn, old: KVEntry | None, new: KVEntry) -> None:
    if old is not None:
        same = old.value == new.value and old.flags == new.flags
        if same and old.session == new.session and old.lock_index == new.lock_index:
            return  # an identical write raises no index and wakes no watcher
        new = KVEntry(new.lock_index, new.key, new.flags, new.value, old.create_index, new.modify_index, new.session)
    elif txn[TOMBSTONES].get(new.key) is not None:
        txn.delete(TOMBSTONES, new.key)
    txn.put(KV, new)
    txn.keep_version(new.key, old)
    txn.raise_index("kvs")


def _remove(txn: WriteTxn, entry: KVEntry) -> None:
    txn.delete(KV, entry.key)
    txn.keep_version(entry.key, entry)
    txn.put(TOMBSTONES, Tombstone(entry.key, txn.index, txn.now))
    txn.raise_index("kvs")
