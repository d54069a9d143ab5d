"""Reads of folders for pages: what they hold, and what is found below them, within limits."""

from __future__ import annotations

from typing import Any

from pyconsul.agent.acl.authorizer import Authorizer
from pyconsul.agent.common.steps import Steps
from pyconsul.agent.common.turns import in_turns
from pyconsul.agent.model.kv import KVEntry
from pyconsul.agent.reads import kv
from pyconsul.agent.reads.kv import Listing
from pyconsul.agent.state.contract import View
from pyconsul.agent.ui.contract import Refused
from pyconsul.agent.ui.pages.kv import values
from pyconsul.agent.ui.shown import first_line
from pyconsul.agent.ui.visit import Visit

MAX_CHILDREN = 10_000  # of a folder
MAX_FOUND = 1000  # results of a search
MAX_SEARCHED_BYTES = 32 << 20  # of values
AROUND = 40  # characters of a value before a match


def needs_list(visit: Visit) -> bool:
    """Return whether reading a prefix needs `key:list`."""
    return visit.context.acl is not None and visit.context.acl.settings.key_list_policy


async def entry(visit: Visit, key: str) -> KVEntry | None:
    """Return a key; the page follows it."""
    result = kv.entry(visit.view, visit.caller, key)
    value: Any = visit.read(result)
    return value[0] if result.found else None


async def children(visit: Visit, folder: str, most: int = MAX_CHILDREN) -> Listing:
    """Return what a folder holds; the page follows it."""
    found: Listing = visit.read(await in_turns(kv.children(visit.view, visit.caller, folder, needs_list(visit), most)))
    return found


async def below(visit: Visit, folder: str, most: int = kv.MAX_EXAMINED) -> Listing:
    """Return the first keys below a folder; the page follows them."""
    found: Listing = visit.read(
        await in_turns(kv.some_below(visit.view, visit.caller, folder, needs_list(visit), most))
    )
    return found


async def all_below(visit: Visit, folder: str, most: int, what: str, command: str) -> list[KVEntry]:
    """Return all keys below a folder that the caller sees.  Raises Refused if there are more than `most`."""
    found = await below(visit, folder, most)
    if not found.is_complete:
        raise Refused(
            f"Too many keys to {what} here",
            f'Below "{folder}" are more than {most:,} keys.',
            f"Take a smaller folder, or use the command line: {command}",
        )
    return found.rows


def existing(view: View, caller: Authorizer, keys: list[str]) -> dict[str, KVEntry]:
    """Return the entries of some keys.  Raises PermissionDenied for one that may not be read."""
    results = (kv.entry(view, caller, key) for key in dict.fromkeys(keys))
    return {result.value[0].key: result.value[0] for result in results if result.found}


class Match:
    """A key that a search has found.  line: where its value matches, "" if only its name does."""

    __slots__ = ("entry", "line")

    def __init__(self, entry: KVEntry, line: str) -> None:
        self.entry, self.line = entry, line


def search(entries: list[KVEntry], text: str, in_values: bool) -> Steps[tuple[list[Match], bool]]:
    """Return the keys whose name, or value, contains a text without regard to case; and whether all were looked at."""
    wanted, found, taken = text.lower(), list[Match](), 0
    for number, one in enumerate(entries):
        if number % 256 == 0:
            yield
        in_name = wanted in one.key.lower()
        value = one.value or b""
        line = _matching_line(value, wanted) if in_values else ""
        taken += len(value) if in_values else 0
        if in_name or line:
            found.append(Match(one, line))
        if len(found) >= MAX_FOUND or taken > MAX_SEARCHED_BYTES:
            return found, number + 1 == len(entries)
    return found, True


def _matching_line(value: bytes, wanted: str) -> str:
    """Return the line of a text in which a word stands, "" if it does not; binary values are not searched."""
    if wanted.isascii() and wanted.encode() not in value.lower():
        return ""
    text = values.text_of(value)
    at = -1 if text is None else text.lower().find(wanted)
    if text is None or at < 0:
        return ""
    line = text[text.rfind("\n", 0, at + 1) + 1 :] if text[at] != "\n" else text[at + 1 :]
    start = max(0, at - (len(text) - len(line)) - AROUND)
    return first_line(("…" if start else "") + line[start : start + 300])
