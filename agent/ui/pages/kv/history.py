"""The history of a key: its versions, the difference between two of them, and its return to one."""

from __future__ import annotations

import shlex
from base64 import b64decode
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pyconsul.agent.ui.contract import Action, Download, Missing, Outcome, Page, PageRoute, Question, Refused
from pyconsul.agent.ui.pages.kv import reading, values
from pyconsul.agent.ui.pages.kv.paths import crumbs, key_of
from pyconsul.agent.ui.pages.kv.saving import Typed, index_of, remove, store
from pyconsul.agent.ui.shown import first_line, size
from pyconsul.agent.ui.visit import Visit

OFF = "No history is kept: one of the settings kv_history_versions, kv_history_age and kv_history_size is 0."


@dataclass(frozen=True, slots=True)
class Version:
    """A value that a key had from an index on.  time: Unix seconds, None if it is not known."""

    key: str
    index: int
    time: float | None
    value: bytes
    flags: int
    is_deleted: bool

    @property
    def summary(self) -> str:
        """Return the first line of the value."""
        if self.is_deleted:
            return "(deleted)"
        text = values.text_of(self.value)
        return f"binary, {size(len(self.value))}" if text is None else first_line(text)


def version_of(row: dict[str, Any]) -> Version:
    """Return a version as the API shows it."""
    time = datetime.fromisoformat(row["Time"]).timestamp() if row["Time"] else None
    return Version(row["Key"], row["Index"], time, b64decode(row["Value"] or ""), row["Flags"], row["Deleted"])


async def versions_below(visit: Visit, name: str, **params: str | int) -> list[dict[str, Any]]:
    """Return the answer of the API about the history of a key or tree.  Raises Refused."""
    answer = await visit.ask("GET", f"/v1/pyconsul/kv-history/{name}", headers=None, **params)
    if answer.status == 404:
        raise Missing("History is off", OFF, "Set them in the configuration of the servers; a reload applies them.")
    if not answer.ok:
        raise Refused("The history cannot be shown", answer.text, status=answer.status)
    found: list[dict[str, Any]] = answer.json()
    return found


async def _versions(visit: Visit, key: str) -> list[Version]:
    """Return the versions of a key, the newest first; the page follows the key."""
    await reading.entry(visit, key)
    if key.isprintable():
        return [version_of(row) for row in await versions_below(visit, key)]
    start = next(at for at, letter in enumerate(key) if not letter.isprintable())  # the address ends before it
    return [version_of(row) for row in await versions_below(visit, key[:start], recurse="") if row["Key"] == key]


async def show(visit: Visit) -> Page:
    """Show the versions of a key."""
    key = key_of(visit)
    found = await _versions(visit, key)
    return Page(
        "kv_history.html",
        key,
        "kv",
        {
            "key": key,
            "crumbs": crumbs(visit.links, key),
            "versions": list(zip(found, [*found[1:], None], strict=True)) if found else [],
            "newest": found[0].index if found else 0,
            "kept": visit.config.kv_history_versions,
            "excluded": key.startswith(visit.config.kv_history_exclude),
            "missing": visit.lacks("key:write", key),
        },
    )


async def compare(visit: Visit) -> Page:
    """Show two versions side by side: `?from=INDEX&to=INDEX`, without them the last two."""
    key = key_of(visit)
    found = await _versions(visit, key)
    right = _chosen(found, visit.params.get("to", ""), 0)
    left = _chosen(found, visit.params.get("from", ""), found.index(right) + 1 if right else 1)
    texts = [values.text_of(one.value) if one is not None else "" for one in (left, right)]
    is_text = texts[0] is not None and texts[1] is not None
    pairs = values.side_by_side(values.unified(texts[0] or ""), values.unified(texts[1] or "")) if is_text else None
    return Page(
        "kv_compare.html",
        key,
        "kv",
        {
            "key": key,
            "crumbs": crumbs(visit.links, key),
            "versions": found,
            "left": left,
            "right": right,
            "is_text": is_text,
            "pairs": pairs,
            "same": left is not None and right is not None and left.value == right.value,
            "newest": found[0].index if found else 0,
            "missing": visit.lacks("key:write", key),
        },
    )


def _chosen(found: list[Version], index: str, at: int) -> Version | None:
    named = next((one for one in found if str(one.index) == index), None)
    return named or (found[at] if at < len(found) else None)


async def _wanted(visit: Visit, key: str) -> Version:
    """Return the version that an action is about.  Raises Missing."""
    index = visit.form.get("version") or visit.params.get("version", "")
    for one in await _versions(visit, key):
        if str(one.index) == index:
            return one
    raise Missing(
        f'The history of "{key}" has no version {index[:20]}', "", "It may have been removed; see the history."
    )


async def ask_rollback(visit: Visit) -> Question:
    """Ask before a key gets an earlier value."""
    key = key_of(visit)
    version = await _wanted(visit, key)
    now = await reading.entry(visit, key)
    if version.is_deleted:
        what = "The key is deleted, as it was then."
    else:
        before = "it does not exist now" if now is None else f"now {size(len(now.value or b''))}"
        what = f"Its value becomes: {version.summary} ({size(len(version.value))}; {before})."
    return Question(
        f"Roll {key} back to version {version.index}?",
        (what, "What it is now stays in the history."),
        f"Roll {key} back to version {version.index}",
        f"pyconsul kv rollback -apply {shlex.quote(f'{key}@{version.index}')}",
        lacks=visit.lacks("key:write", key),
        carry=(("version", str(version.index)), ("index", str(now.modify_index if now is not None else 0))),
    )


async def rollback(visit: Visit) -> Outcome:
    """Give a key an earlier value, unless it has changed meanwhile."""
    key = key_of(visit)
    version = await _wanted(visit, key)
    title = f'"{key}" was not rolled back'
    index = index_of(visit)
    if version.is_deleted:
        is_done = await remove(visit, key, index, title)
    else:
        is_done = await store(visit, key, Typed(version.value, version.flags, index), title)
    if not is_done:
        raise Refused(title, "It has changed since this page was shown.", "Look at it once more.", status=409)
    return Outcome(f"Rolled {key} back to version {version.index}.", visit.links.key(key, "history"))


async def download(visit: Visit) -> Download:
    """Return an earlier value as it was."""
    key = key_of(visit)
    version = await _wanted(visit, key)
    name = f"{key.rstrip('/').rpartition('/')[2] or 'value'}@{version.index}"
    return Download(name, "application/octet-stream", version.value)


ACTIONS = {"rollback": Action(rollback, ask_rollback)}
DOWNLOADS = {"value": download}
PAGES = (
    PageRoute("kv/{path*}/history", show, ACTIONS, downloads=DOWNLOADS),
    PageRoute("kv/{path*}/compare", compare, ACTIONS, downloads=DOWNLOADS),
)
