"""Create a key, or a folder by a slash at its end."""

from __future__ import annotations

from pyconsul.agent.ui.contract import Action, Outcome, Page, PageRoute, Refused
from pyconsul.agent.ui.pages.kv import entry, saving, syntax
from pyconsul.agent.ui.pages.kv.paths import crumbs, folder_of
from pyconsul.agent.ui.visit import Visit


def show(visit: Visit) -> Page:
    """Show the form."""
    folder, form = folder_of(visit), visit.form
    return Page(
        "kv_create.html",
        "New key",
        "kv",
        {
            "folder": folder,
            "crumbs": crumbs(visit.links, folder),
            "name": form.get("name", folder),
            "typed": form.get("value", ""),
            "flags": form.get("flags", "0"),
            "syntax": form.get("syntax", ""),
            "formats": syntax.FORMATS,
            "missing": visit.lacks("key:write", folder),
            "limit": visit.config.limits.kv_max_value_size,
        },
    )


async def create(visit: Visit) -> Outcome | Page:
    """Create the key; one that exists is shown next to it."""
    key = visit.form.get("name", "")
    if not key:
        raise Refused("The key was not created", "It has no name.", 'Names such as "app/port" sort keys into folders.')
    outcome = await saving.save(visit, key)
    if isinstance(outcome, Outcome):
        is_folder = key.endswith("/")
        return Outcome(
            f"Created the {'folder' if is_folder else 'key'} {key}.",
            visit.links.key(key, *(() if is_folder else ("edit",))),
            failures=outcome.failures,
        )
    return outcome


ACTIONS = {"create": Action(create), "check": Action(entry.check_syntax, harmless=True)}
PAGES = (PageRoute("kv/create", show, ACTIONS), PageRoute("kv/{path*}/create", show, ACTIONS))
