"""A folder of keys: what it holds, all keys below it, and a search in names and values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from pyconsul.agent.common.turns import in_turns
from pyconsul.agent.reads.kv import MAX_EXAMINED, Child, Listing
from pyconsul.agent.ui.contract import Page, PageRoute
from pyconsul.agent.ui.links import Links
from pyconsul.agent.ui.pages.kv import entry, exchange, reading
from pyconsul.agent.ui.pages.kv.paths import crumbs, key_of, label_of
from pyconsul.agent.ui.pages.listing import part_of
from pyconsul.agent.ui.shown import number, plural
from pyconsul.agent.ui.visit import Visit

WHERE = (("", "in this folder"), ("below", "all keys below"), ("values", "keys and values below"))
SORTS = (
    ("", "A to Z"),
    ("Name:desc", "Z to A"),
    ("Changed:desc", "Last changed first"),
    ("Size:desc", "Largest first"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the list.  keys: below a folder; size, flags, index: of a key; line: of the value, where a search has found it."""

    name: str
    label: str
    address: str
    is_folder: bool
    keys: int = 0
    size: int = 0
    flags: int = 0
    index: int = 0
    session: str = ""
    line: str = ""


def row_of(links: Links, child: Child, folder: str, line: str) -> Row:
    """Return the line of a key or folder."""
    label, one = label_of(child.name, folder), child.entry
    if one is None:
        return Row(child.name, label, links.key(child.name), True, keys=child.keys)
    address, size = links.key(one.key, "edit"), len(one.value or b"")
    return Row(one.key, label, address, False, 0, size, one.flags, one.modify_index, one.session, line)


async def show(visit: Visit) -> Page:
    """Show a folder; or the key that an address without a slash at its end names."""
    folder = key_of(visit)
    if folder and not folder.endswith("/"):
        return await entry.show(visit)
    search, where = visit.params.get("filter", "").strip(), visit.params.get("where", "")
    sort = visit.params.get("sort", "")
    found, lines, limit = await _found(visit, folder, search, where)
    part = part_of(visit, _sorted(found, sort), _addresses(visit, folder))
    lacks = visit.lacks("key:write", folder)
    return Page(
        "kv_folder.html",
        folder or "Key/value",
        "kv",
        {
            "folder": folder,
            "crumbs": crumbs(visit.links, folder),
            "rows": [row_of(visit.links, one, folder, lines.get(one.name, "")) for one in part.rows],
            "part": part,
            "total": len(found),
            "limit": limit,
            "search": search,
            "where": where,
            "sort": sort,
            "wheres": WHERE,
            "sorts": SORTS,
            "missing": lacks,
            "word": partial(visit.links.folder, folder),
        },
    )


async def _found(visit: Visit, folder: str, search: str, where: str) -> tuple[list[Child], dict[str, str], str]:
    """Return keys and folders, the lines in which a search has found its text, and a sentence about those that are left out."""
    if where not in ("below", "values"):
        children = await reading.children(visit, folder)
        wanted = search.lower()
        found = [child for child in children.rows if not wanted or wanted in label_of(child.name, folder).lower()]
        return found, {}, _unseen(children, "of this folder")
    listing = await reading.below(visit, folder)
    limit = _unseen(listing, "below this folder")
    if not search:
        return [Child(one.key, one) for one in listing.rows], {}, limit
    matches, is_complete = await in_turns(reading.search(listing.rows, search, where == "values"))
    if not is_complete:
        limit = (
            f"The search has stopped: it shows at most {number(reading.MAX_FOUND)} keys and reads "
            f"{reading.MAX_SEARCHED_BYTES >> 20} MB of values. Search in a smaller folder for the rest."
        )
    return [Child(one.entry.key, one.entry) for one in matches], {one.entry.key: one.line for one in matches}, limit


def _unseen(listing: Listing, where: str) -> str:
    if listing.is_complete:
        return ""
    shown = plural(len(listing.rows), "entry", "entries")
    return f"Only the first {shown} {where} are here: at most {number(MAX_EXAMINED)} keys are looked at."


def _sorted(rows: list[Child], sort: str) -> list[Child]:
    """Return folders before keys, each in the chosen order."""
    keys: dict[str, Callable[[Child], Any]] = {
        "Name:desc": lambda row: row.name,
        "Changed:desc": lambda row: row.entry.modify_index if row.entry else 0,
        "Size:desc": lambda row: len(row.entry.value or b"") if row.entry else row.keys,
    }
    key = keys.get(sort)
    ordered = rows if key is None else sorted(rows, key=key, reverse=True)
    return sorted(ordered, key=lambda row: row.entry is not None)


def _addresses(visit: Visit, folder: str) -> Callable[[int], str]:
    kept = {name: visit.params.get(name, "") for name in ("filter", "where", "sort")}
    return lambda part: visit.links.key(folder, **kept, part=part if part > 1 else None)


ACTIONS = entry.ACTIONS  # for the address of a key without `edit`
DOWNLOADS = {"export": exchange.export, **entry.DOWNLOADS}
PAGES = (
    PageRoute("kv", show, ACTIONS, downloads=DOWNLOADS),
    PageRoute("kv/{path*}", show, ACTIONS, downloads=DOWNLOADS),
)
