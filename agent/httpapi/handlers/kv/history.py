"""GET /v1/pyconsul/kv-history/<key>: earlier versions of a key, or of a tree; Consul has no such endpoint.

    ?recurse     all keys that begin with <key>, of those the caller may read
    ?at=INDEX    the entries as they were once INDEX was written, as /v1/kv shows entries; [] when there were none;
                 keys without a history (kv_history_exclude) as they are now
    ?limit=N     the newest N versions only

Without `at` the response is a list of versions, the newest first: Key, Index (the ModifyIndex it had), Time (null when it is
not known), Flags, Value (base64), Deleted, CreateIndex, LockIndex, Session.  X-Pyconsul-History-From is the index that the
history of all keys begins at.  404: no history is kept; 410: not that far back.
"""

from __future__ import annotations

import asyncio
from contextlib import closing
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, NamedTuple

from pyconsul.agent.acl.authorizer import Authorizer
from pyconsul.agent.acl.rules import LIST, READ
from pyconsul.agent.common.steps import Steps, empty
from pyconsul.agent.common.turns import in_turns
from pyconsul.agent.engine.history.contract import HistorySlice, Pruned, Version, check_kept, rows_at, versions_of
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.rendering import meta_headers
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import FILTERED, JSON, HTTPError, Response, bad_request, encode, not_found
from pyconsul.agent.httpapi.core.router import Read, Route
from pyconsul.agent.reads.visibility import visible

GONE = 410
PAGE_VERSIONS = 500  # that are encoded at once


class _Wanted(NamedTuple):
    """Selection of versions: of one key or a prefix, at one index, up to a number."""

    tree: bool
    at: int | None
    limit: int | None


async def list_versions(context: Context, request: Request) -> Response:
    """Versions, or the entries of one index."""
    tree, index, limit = "recurse" in request, _number(request, "at"), _number(request, "limit")
    if not request.tail and not tree:
        raise bad_request("Missing key name")
    kept = await _read(context, request.caller, request.tail, tree=tree, after=index)
    if kept is None:
        raise not_found("this agent keeps no history of keys: one of the settings kv_history_* is 0")
    with closing(kept):
        return await _response(kept, request.caller, _Wanted(tree, index, limit))


async def _read(
    context: Context, caller: Authorizer, key: str, *, tree: bool, after: int | None
) -> HistorySlice | None:
    """Read what is kept of a key, or of a tree, if the caller may read it.  Raises PermissionDenied, HTTPError, EngineError."""
    if not tree:
        caller.require("key", READ, key)
    elif context.acl is not None and context.acl.settings.key_list_policy:
        caller.require("key", LIST, key)
    if after is not None and after > context.view.index:
        raise bad_request(f"Invalid at: index {after} is still to come, the last is {context.view.index}")
    return None if context.kv_history is None else await context.kv_history(key, tree=tree, after=after)


def _number(request: Request, name: str) -> int | None:
    text = request.params.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise bad_request(f"Invalid {name}: {text[:40]!r} is no index or number of at most 18 digits")
    return int(text)


async def _response(kept: HistorySlice, caller: Authorizer, wanted: _Wanted) -> Response:
    """Read and encode page by page; other requests are served in between."""
    parts: list[bytes] = []
    found: list[Version] = []
    any_filtered = False
    try:
        if wanted.tree and wanted.at is not None:
            check_kept(kept, wanted.at)
        async for page in kept.pages:
            histories, filtered = visible(caller, page, lambda history: caller.level("key", history.key) >= READ)
            any_filtered |= filtered
            if wanted.at is None:
                for history in histories:
                    found += versions_of(history)
                if wanted.limit and len(found) > wanted.limit + PAGE_VERSIONS:  # neither kept nor sorted all at once
                    _keep_newest(found, wanted.limit)
            elif entries := rows_at(kept, histories, wanted.at, tree=wanted.tree):
                parts.append(encode(entries)[1:-1])
            await asyncio.sleep(0)
    except Pruned as error:
        raise HTTPError(GONE, str(error)) from None
    _keep_newest(found, wanted.limit or len(found))
    await in_turns(_encode_versions(found, parts))
    headers = (*JSON, *meta_headers(kept.index), (b"X-Pyconsul-History-From", b"%d" % kept.floor))
    return Response(200, b"[" + b",".join(parts) + b"]", (*headers, *FILTERED) if any_filtered else headers)


def _keep_newest(found: list[Version], limit: int) -> None:
    found.sort(key=attrgetter("index"), reverse=True)  # stable: versions of one index stay in order of their keys
    del found[limit:]


def _encode_versions(found: list[Version], parts: list[bytes]) -> Steps[None]:
    for start in range(0, len(found), PAGE_VERSIONS):
        parts.append(encode(list(map(_shown, found[start : start + PAGE_VERSIONS])))[1:-1])
        yield
    yield from empty(found)


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
