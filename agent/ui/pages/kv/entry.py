"""One key: its value, its editor, and who holds its lock."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

import msgspec

from pyconsul.agent.model.kv import KVEntry
from pyconsul.agent.model.session import Session
from pyconsul.agent.reads import sessions
from pyconsul.agent.state.schemas import KV
from pyconsul.agent.ui.contract import Action, Download, Missing, Outcome, Page, PageRoute, Question, Refused
from pyconsul.agent.ui.pages.kv import reading, saving, syntax, values
from pyconsul.agent.ui.pages.kv.paths import crumbs, key_of, label_of, parent_of
from pyconsul.agent.ui.shown import plural
from pyconsul.agent.ui.visit import Visit

MAX_SIBLINGS = 200
CHANGED = "It has changed since this page was shown, and it was left as it is."


async def show(visit: Visit) -> Page:
    """Show a key, or its editor."""
    key = key_of(visit)
    one = await reading.entry(visit, key)
    return await page(visit, key, one, visit.form if visit.form.get("do") == "save" else {})


async def page(visit: Visit, key: str, one: KVEntry | None, typed: Mapping[str, str], note: str = "") -> Page:
    """Return the page of a key.  typed: what stands in its editor; an empty one shows what is stored.  note: above the editor."""
    value = b"" if one is None else one.value or b""
    text = values.text_of(value)
    wanted = typed.get("syntax", visit.params.get("syntax", ""))
    is_edited = bool(typed) or "edit" in visit.params
    shown = values.unified(typed.get("value", text or ""))
    folder = parent_of(key)
    siblings = await reading.children(visit, folder, MAX_SIBLINGS)
    return Page(
        "kv_entry.html",
        key,
        "kv",
        {
            "key": key,
            "entry": one,
            "value": value,
            "text": text,
            "dump": "" if text is not None else values.hexdump(value),
            "dumped": min(len(value), values.DUMPED),
            "editing": is_edited,
            "typed": shown,
            "is_text": text is not None or "value" in typed,
            "mixed": text is not None and values.has_mixed_ends(text),
            "flags": typed.get("flags", one.flags if one is not None else 0),
            "index": typed.get("index", one.modify_index if one is not None else 0),
            "syntax": wanted,
            "formats": syntax.FORMATS,
            "verdict": await syntax.check(syntax.format_of(key, wanted), shown),
            "note": note,
            "session": _session(visit, one),
            "missing": visit.lacks("key:write", key),
            "crumbs": crumbs(visit.links, key),
            "limit": visit.config.limits.kv_max_value_size,
            "siblings": [
                (
                    child.name,
                    label_of(child.name, folder),
                    visit.links.key(child.name, *(() if child.entry is None else ("edit",))),
                )
                for child in sorted(siblings.rows, key=lambda child: child.entry is not None)
            ],
            "more_siblings": not siblings.is_complete,
        },
        status=200 if one is not None or is_edited else 404,
    )


def _session(visit: Visit, one: KVEntry | None) -> Session | None:
    """Return the session that holds the lock, if the caller sees it."""
    if one is None or not one.session:
        return None
    found: list[Session] = visit.read(sessions.one(visit.view, visit.caller, one.session))
    return found[0] if found else None


# Actions


async def check_syntax(visit: Visit) -> Download:
    """Return the mistake in a text that is typed: its text, line and column."""
    form = visit.form
    kind = syntax.format_of(form.get("name") or key_of(visit), form.get("syntax", ""))
    verdict = await syntax.check(kind, values.unified(form.get("value", "")))
    told = (
        {}
        if verdict is None
        else msgspec.to_builtins(
            {"text": verdict.text, "right": verdict.is_right, "line": verdict.line, "column": verdict.column}
        )
    )
    return Download("syntax.json", "application/json", msgspec.json.encode(told))


async def save(visit: Visit) -> Outcome | Page:
    """Write the value of the form, unless the key has changed meanwhile."""
    return await saving.save(visit, key_of(visit))


async def edit_together(visit: Visit) -> Page:
    """Show the editor with the changes of both."""
    key = key_of(visit)
    one = await reading.entry(visit, key)
    typed, note = await saving.merged(visit, key, one)
    return await page(visit, key, one, typed, note)


async def ask_delete(visit: Visit) -> Question:
    """Ask before a key is deleted."""
    key = key_of(visit)
    one = await reading.entry(visit, key)
    if one is None:
        raise Missing(f'The key "{key}" does not exist', "", "It may have been deleted meanwhile.")
    lines = [f"Its value has {plural(len(one.value or b''), 'byte')}."]
    if one.session:
        lines.append(f"It is locked by the session {one.session}; the lock is deleted, too.")
    if visit.config.kv_history_versions:
        lines.append("Its history stays, so that it can be rolled back.")
    return Question(
        f"Delete {key}?",
        tuple(lines),
        f"Delete {key}",
        f"pyconsul kv delete {shlex.quote(key)}",
        destructive=True,
        lacks=visit.lacks("key:write", key),
        carry=(("index", str(one.modify_index)),),
    )


async def delete(visit: Visit) -> Outcome:
    """Delete a key, unless it has changed meanwhile."""
    key = key_of(visit)
    title = f'"{key}" was not deleted'
    if not await saving.remove(visit, key, saving.index_of(visit), title):
        raise Refused(title, CHANGED, "Look at it once more.", status=409)
    return Outcome(f"Deleted {key}.", visit.links.key(parent_of(key)))


def _held(visit: Visit) -> Session:
    """Return the session of the form.  Raises Missing."""
    given = visit.form.get("session") or visit.params.get("session", "")
    found: list[Session] = visit.read(sessions.one(visit.view, visit.caller, given))
    if not found:
        raise Missing("This session does not exist any more", "", "Its locks are free.")
    return found[0]


def ask_invalidate(visit: Visit) -> Question:
    """Ask before the session that holds the lock ends."""
    session = _held(visit)
    locks = [one.key for one in visit.view[KV].by("session", session.id)]
    fate = "are deleted" if session.behavior == "delete" else "stay, and are free after the lock delay"
    name = f'"{session.name}" on {session.node}' if session.name else f"of {session.node}"
    return Question(
        f"Invalidate the session {name}?",
        (
            f"It holds {plural(len(locks), 'lock')}; its keys {fate}.",
            "Its holder has to find out that the lock is lost.",
        ),
        f"Invalidate the session {session.id[:8]}",
        f"pyconsul session destroy {session.id}",
        destructive=True,
        lacks=visit.lacks("session:write", session.node),
        carry=(("session", session.id),),
    )


async def invalidate(visit: Visit) -> Outcome:
    """End the session that holds the lock."""
    session = _held(visit)
    await visit.send("PUT", f"/v1/session/destroy/{session.id}", failed="The session was not invalidated")
    return Outcome(f"The session {session.id[:8]} has ended.", visit.links.key(key_of(visit), "edit"))


async def download(visit: Visit) -> Download:
    """Return the value as it is."""
    key = key_of(visit)
    one = await reading.entry(visit, key)
    if one is None:
        raise Missing(f'The key "{key}" does not exist')
    return Download(key.rstrip("/").rpartition("/")[2] or "value", "application/octet-stream", one.value or b"")


ACTIONS: Mapping[str, Any] = {
    "save": Action(save),
    "check": Action(check_syntax, harmless=True),
    "together": Action(edit_together),
    "delete": Action(delete, ask_delete),
    "invalidate": Action(invalidate, ask_invalidate),
}
DOWNLOADS: Mapping[str, Any] = {"value": download}
PAGES = (PageRoute("kv/{path*}/edit", show, ACTIONS, downloads=DOWNLOADS),)
