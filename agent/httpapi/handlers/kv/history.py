"""GET /v1/pyconsul/kv-history/<key>: earlier versions of a key, or of a tree; Consul has no such endpoint.

    ?recurse     all keys that begin with <key>, of those the caller may read
    ?at=INDEX    the entries as they were once INDEX was written, as /v1/kv shows entries; [] when there were none;
                 keys without a history (kv_history_exclude) as they are now
    ?limit=N     the newest N versions only

Without `at` the answer is a list of versions, the newest first: Key, Index (the ModifyIndex it had), Time (null when it is
not known), Flags, Value (base64), Deleted, CreateIndex, LockIndex, Session.  X-Pyconsul-History-From is the index that the
history of all keys begins at.  404: no history is kept; 410: not that far back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pyconsul.agent.acl.rules import LIST, READ
from pyconsul.agent.common.steps import empty
from pyconsul.agent.common.turns import in_turns
from pyconsul.agent.engine.history.contract import Kept, OutOfReach, Version, at, versions
from pyconsul.agent.httpapi.core.authorization import visible
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.rendering import meta_headers
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import FILTERED, JSON, Answer, HTTPError, bad_request, encode, not_found
from pyconsul.agent.httpapi.core.router import Read, Route

GONE = 410
MANY = 1000  # keys whose answer is made in a thread, so that others are served meanwhile


async def list_versions(context: Context, request: Request) -> Answer:
    """Versions, or the entries of one index."""
    tree, index, limit = "recurse" in request, _number(request, "at"), _number(request, "limit")
    if not request.tail and not tree:
        raise bad_request("Missing key name")
    caller = request.caller
    if not tree:
        caller.require("key", READ, request.tail)
    elif context.acl is not None and context.acl.settings.key_list_policy:
        caller.require("key", LIST, request.tail)
    if index is not None and index > context.view.index:
        raise bad_request(f"Invalid at: index {index} is still to come, the last is {context.view.index}")
    kept = await context.kv_history(request.tail, tree=tree, after=index) if context.kv_history is not None else None
    if kept is None:
        raise not_found("this agent keeps no history of keys: one of the settings kv_history_* is 0")
    keys, filtered = visible(caller, list(kept.keys), lambda key: caller.level("key", key) >= READ)
    if len(keys) < MANY:
        return _answer(kept, keys, index, limit, filtered=filtered, tree=tree)
    try:
        return await asyncio.to_thread(_answer, kept, keys, index, limit, filtered=filtered, tree=tree)
    finally:
        await in_turns(empty(kept.keys))


def _number(request: Request, name: str) -> int | None:
    text = request.params.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise bad_request(f"Invalid {name}: {text[:40]!r} is no index or number of at most 18 digits")
    return int(text)


def _answer(kept: Kept, keys: list[str], index: int | None, limit: int | None, *, filtered: bool, tree: bool) -> Answer:
    seen = replace(kept, keys={key: kept.keys[key] for key in keys})
    headers = (*JSON, *meta_headers(kept.index), (b"X-Pyconsul-History-From", b"%d" % kept.floor))
    if filtered:
        headers = (*headers, *FILTERED)
    if index is None:
        return Answer(200, _encoded(versions(seen)[: limit or None], _shown), headers)
    try:
        return Answer(200, _encoded(at(seen, index, tree=tree)), headers)
    except OutOfReach as error:
        raise HTTPError(GONE, str(error)) from None


def _encoded(rows: list[Any], shown: Callable[[Any], Any] = lambda row: row) -> bytes:
    """A list as JSON, encoded a part at a time: all of it at once would keep other threads waiting."""
    parts = [encode(list(map(shown, rows[start : start + MANY])))[1:-1] for start in range(0, len(rows), MANY)]
    return b"[" + b",".join(parts) + b"]"


def _shown(version: Version) -> dict[str, Any]:
    entry = version.entry
    return {
        "Key": version.key,
        "Index": version.index,
        "Time": None if version.time is None else _rfc3339(version.time),
        "Flags": entry.flags if entry else 0,
        "Value": entry.value if entry else None,
        "Deleted": entry is None,
        "CreateIndex": entry.create_index if entry else 0,
        "LockIndex": entry.lock_index if entry else 0,
        "Session": entry.session if entry else "",
    }


def _rfc3339(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


ROUTES = (Route("/v1/pyconsul/kv-history/", {"GET": Read(list_versions, "handler key:read")}),)
