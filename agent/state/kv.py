"""The key-value store: reads, and the writes with check-and-set and locks.

Semantics: https://developer.hashicorp.com/consul/api-docs/kv.  Writes answer whether they took place.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter

from pyconsul.agent.model.kv import KVEntry, Tombstone
from pyconsul.agent.state.draft import Draft, View
from pyconsul.agent.state.errors import Refused
from pyconsul.agent.state.paced import Steps
from pyconsul.agent.state.schemas import KV, LOCK_DELAYS, SESSIONS, TOMBSTONES

TOMBSTONE_TTL = 15 * 60.0  # seconds, Consul's


_modify_index = attrgetter("modify_index")


def topic(key: str) -> str:
    """The watch topic of a key; of a prefix, when watched as one."""
    return "kv/" + key


def index_of_key(view: View, entry: KVEntry | None) -> int:
    """The index of a single key's answer: its own, or the table's when it is missing."""
    if entry is None:
        return view.index_of("kvs")
    return entry.modify_index if entry.modify_index > view.restored else view.restored


def index_of_prefix(view: View, prefix: str, entries: Iterable[KVEntry]) -> int:
    """The index of a prefix's answer: the newest entry or deletion below it, or the table's when there is neither."""
    index = max(map(_modify_index, entries), default=0)
    deleted = view[TOMBSTONES].prefix(prefix) if len(view[TOMBSTONES]) else ()
    index = max(index, max((stone.index for stone in deleted), default=0))
    return max(index, view.restored) if index else view.index_of("kvs")


def keys(entries: Iterable[KVEntry], prefix: str, separator: str) -> list[str]:
    """The keys of a prefix's entries, cut after the first separator behind the prefix; each once."""
    if not separator:
        return [entry.key for entry in entries]
    found: dict[str, None] = {}
    for entry in entries:
        end = entry.key.find(separator, len(prefix))
        found[entry.key if end < 0 else entry.key[: end + len(separator)]] = None
    return list(found)


def put(draft: Draft, key: str, value: bytes | None, flags: int, cas: int | None = None) -> bool:
    """Write a key.  With `cas`, only when its ModifyIndex is that one (0: only when it is not there)."""
    old = draft[KV].get(key)
    if cas is not None and cas != (old.modify_index if old else 0):
        return False
    _write(draft, old, KVEntry(0, key, flags, value or None, draft.index, draft.index, old.session if old else ""))
    return True


def acquire(draft: Draft, key: str, value: bytes | None, flags: int, session: str) -> bool:
    """Lock a key with a session and write it; False when another session holds it, or held it until a moment ago.

    Raises Refused when the session does not exist.
    """
    if not session:
        raise Refused("missing session")
    delay = draft[LOCK_DELAYS].get(key)
    if delay is not None:
        if delay.until > draft.now:
            return False
        draft.delete(LOCK_DELAYS, key)
    if draft[SESSIONS].get(session) is None:
        raise Refused(f'invalid session "{session}"')
    old = draft[KV].get(key)
    if old is not None and old.session not in ("", session):
        return False
    locks = 1 if old is None else old.lock_index + (old.session != session)
    _write(draft, old, KVEntry(locks, key, flags, value or None, draft.index, draft.index, session))
    return True


def release(draft: Draft, key: str, value: bytes | None, flags: int, session: str) -> bool:
    """Write a key and give up its lock; False when the session does not hold it.  Raises Refused without a session."""
    if not session:
        raise Refused("missing session")
    old = draft[KV].get(key)
    if old is None or old.session != session:
        return False
    _write(draft, old, KVEntry(old.lock_index, key, flags, value or None, draft.index, draft.index))
    return True


def delete(draft: Draft, key: str, cas: int | None = None, *, purge: bool = False) -> bool:
    """Delete a key.  With `cas`, only when its ModifyIndex is that one; a key that is not there is deleted already.

    With `purge` its history is deleted as well, even when the key itself does not exist any more.
    """
    old = draft[KV].get(key)
    if old is not None and cas is not None and cas != old.modify_index:
        return False
    if old is not None:
        _remove(draft, old)
    if purge:
        draft.purge(key)
    return True


def delete_tree(draft: Draft, prefix: str, *, purge: bool = False) -> Steps[None]:
    """Delete every key below a prefix, one in each step; with `purge` the history of all that begin with it, too."""
    if purge:
        draft.purge(prefix, tree=True)
    for entry in draft[KV].prefix(prefix):
        _remove(draft, entry)
        yield


def has_old_tombstones(view: View, now: float) -> bool:
    """Whether there are tombstones that can be dropped."""
    return any(stone.time < now - TOMBSTONE_TTL for stone in view[TOMBSTONES])


def forget_tombstones(draft: Draft) -> Steps[None]:
    """Drop the tombstones older than 15 minutes; the index of their prefixes may fall, as Consul's does."""
    for stone in draft[TOMBSTONES]:  # deletions are laid over the table, which stays as it is
        if stone.time < draft.now - TOMBSTONE_TTL:
            draft.delete(TOMBSTONES, stone.key)
        yield


def _write(draft: Draft, old: KVEntry | None, new: KVEntry) -> None:
    if old is not None:
        same = old.value == new.value and old.flags == new.flags
        if same and old.session == new.session and old.lock_index == new.lock_index:
            return  # an identical write keeps the index and wakes nobody
        new = KVEntry(new.lock_index, new.key, new.flags, new.value, old.create_index, new.modify_index, new.session)
    elif draft[TOMBSTONES].get(new.key) is not None:
        draft.delete(TOMBSTONES, new.key)
    draft.put(KV, new)
    draft.touch("kvs")
    draft.wake(topic(new.key))


def _remove(draft: Draft, entry: KVEntry) -> None:
    draft.delete(KV, entry.key)
    draft.put(TOMBSTONES, Tombstone(entry.key, draft.index, draft.now))
    draft.touch("kvs")
    draft.wake(topic(entry.key))
