"""The last changes of a tree, and its return to what it was."""

from __future__ import annotations

import shlex
from base64 import b64decode
from functools import partial
from typing import Any

from pyconsul.agent.state.schemas import KV
from pyconsul.agent.ui.contract import Action, Outcome, Page, PageRoute, Refused
from pyconsul.agent.ui.pages.kv import plan, reading
from pyconsul.agent.ui.pages.kv.history import version_of, versions_below
from pyconsul.agent.ui.pages.kv.paths import crumbs, folder_of
from pyconsul.agent.ui.visit import Visit

SHOWN = 200  # changes
MAX_FOLLOWED = 2000  # keys of a tree whose page is live; to read the history of more takes too long for each change


async def show(visit: Visit) -> Page:
    """Show the last changes; with `?at=INDEX`, what a return to that index changes."""
    folder, at = folder_of(visit), visit.params.get("at", "")
    if at:
        return await preview(visit, folder, at)
    if visit.view[KV].count(folder) <= MAX_FOLLOWED:
        await reading.below(visit, folder, 1)  # the page follows the folder
    found = await versions_below(visit, folder, recurse="", limit=SHOWN)
    return Page(
        "kv_changes.html",
        f"Changes of {folder or 'all keys'}",
        "kv",
        {
            "folder": folder,
            "crumbs": crumbs(visit.links, folder),
            "versions": [version_of(row) for row in found],
            "shown": SHOWN,
            "followed": visit.view[KV].count(folder) <= MAX_FOLLOWED,
            "word": partial(visit.links.folder, folder),
        },
    )


async def preview(visit: Visit, folder: str, at: str) -> Page:
    """Show what exactly a return changes."""
    made = await _plan(visit, folder, at)
    return plan.page(
        visit,
        made,
        title=f"Roll {folder or 'all keys'} back to index {at}",
        folder=folder,
        sentences=("Each key below gets the value that it had once this index was written. The history stays.",),
        button=f"Roll {folder or 'all keys'} back",
        command=_command(folder, at),
        do="rollback",
        back=visit.links.folder(folder, "changes"),
    )


def _command(folder: str, at: str) -> str:
    return f"pyconsul kv rollback -apply {shlex.quote((folder or '/') + '@' + at)}"


async def _plan(visit: Visit, folder: str, at: str) -> plan.Plan:
    if not (at.isascii() and at.isdigit()):
        raise Refused("This is not an index", at[:40], "Choose a change from the list.")
    past: list[dict[str, Any]] = await versions_below(visit, folder, recurse="", at=at)
    wanted = {row["Key"]: (b64decode(row["Value"] or ""), row["Flags"]) for row in past}
    now = await reading.all_below(visit, folder, plan.MAX_CHANGES * 5, "roll back", _command(folder, at))
    old = {one.key: one for one in now}
    return plan.plan_of(wanted, old, [one for one in now if one.key not in wanted])


async def rollback(visit: Visit) -> Outcome:
    """Give the keys of a tree their earlier values."""
    folder, at = folder_of(visit), visit.params.get("at", "")
    made = await _plan(visit, folder, at)
    plan.require_shown(visit, made.mark)
    return await plan.carry_out(visit, made, "Nothing was rolled back", visit.links.key(folder))


ACTIONS = {"rollback": Action(rollback)}
PAGES = (PageRoute("kv/changes", show, ACTIONS), PageRoute("kv/{path*}/changes", show, ACTIONS))
