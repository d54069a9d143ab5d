"""Search: pages, actions, services, nodes, keys, queries and access control; the command palette shows its results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pyconsul.agent.reads.search import Match, Search, rank_of
from pyconsul.agent.ui.contract import Page, PageRoute
from pyconsul.agent.ui.frame import SECTIONS
from pyconsul.agent.ui.links import Links
from pyconsul.agent.ui.visit import Visit

SHOWN = 30
#: Pages and actions beside those of the navigation: label, other words to find it by, address below the datacenter.
PLACES = (
    ("Create a key", "new add kv", "kv/create"),
    ("Import keys", "upload kv", "kv/import"),
    ("Changes of keys", "history rollback kv", "kv/changes"),
    ("Policies", "acl access", "acls/policies"),
    ("Roles", "acl access", "acls/roles"),
    ("Auth methods", "acl access login jwt", "acls/auth-methods"),
    ("Explain a permission", "acl access why denied", "acls/explain"),
    ("Create a token", "new add acl", "acls/tokens/create"),
    ("Create a policy", "new add acl rules", "acls/policies/create"),
    ("Create a role", "new add acl", "acls/roles/create"),
    ("Create an auth method", "new add acl login jwt", "acls/auth-methods/create"),
    ("Fire an event", "send", "events?do=fire"),
    ("Create a prepared query", "new add", "queries?do=create"),
    ("Settings of the agent", "configuration", "agent/settings"),
    ("Log of the agent", "monitor", "agent/log"),
    ("Reload the agent", "configuration", "agent?do=reload"),
    ("Log in or out", "token logout session user", "login"),
)
ACTIONS = ("Create", "Import", "Fire", "Reload", "Log in")  # beginnings of labels
#: Actions on nodes and services, found by their first word and a name: `maintenance web-1`.
ON_NAMES = {"maintenance": "Put {} into maintenance", "deregister": "Deregister {}"}
#: The address of a match by its kind.
ADDRESSES: dict[str, Callable[[Links, Match], str]] = {
    "service": lambda links, match: links.to("services", match.key, "instances"),
    "node": lambda links, match: links.to("nodes", match.key),
    "key": lambda links, match: links.key(match.key) if match.key.endswith("/") else links.key(match.key, "edit"),
    "query": lambda links, match: links.to("queries", match.key),
    "policy": lambda links, match: links.to("acls", "policies", match.key),
    "role": lambda links, match: links.to("acls", "roles", match.key),
    "token": lambda links, match: links.to("acls", "tokens", match.key),
    "auth method": lambda links, match: links.to("acls", "auth-methods", match.key),
}
_search = Search()


@dataclass(frozen=True, slots=True)
class Row:
    """A result."""

    name: str
    kind: str
    address: str
    detail: str = ""


def show(visit: Visit) -> Page:
    """Show the results of `?q=`, the best first; without it the pages and actions."""
    text = visit.params.get("q", "").strip()
    places = _places(visit, text.lower())
    found: list[Match] = visit.read(_search.find(visit.view, visit.caller, text, SHOWN, visit.now))
    ranked = [(rank, 0, row) for rank, row in places]
    ranked += [(0, 1, row) for row in _on_names(visit, text)]
    ranked += [(match.rank, 2, _row(visit, match)) for match in found]
    rows = [row for _, _, row in sorted(ranked, key=lambda one: one[:2])]
    return Page("search.html", "Search", "", {"text": text, "rows": rows[:SHOWN]})


def _places(visit: Visit, wanted: str) -> list[tuple[int, Row]]:
    """Return the pages and actions that fit, with their ranks; all of them for an empty search."""
    found: list[tuple[int, Row]] = []
    for label, words, path in (*((label, "", path) for _, label, path in SECTIONS), *PLACES):
        rank = rank_of(wanted, label.lower()) if wanted else 0
        if rank is None and all(word in f"{label} {words}".lower() for word in wanted.split()):
            rank = 2
        if rank is not None:
            place, _, do = path.partition("?do=")
            kind = "action" if label.startswith(ACTIONS) else "page"
            found.append((rank, Row(label, kind, visit.links.to(*place.split("/"), do=do))))
    return found


def _on_names(visit: Visit, text: str) -> list[Row]:
    """Return the actions on nodes and services that a text such as `maint web-1` names."""
    word, _, rest = text.partition(" ")
    actions = [do for do in ON_NAMES if len(word) > 2 and do.startswith(word.lower())]
    found: list[Match] = visit.read(_search.find(visit.view, visit.caller, rest, SHOWN, visit.now)) if actions else []
    return [_action(visit, do, match) for do in actions for match in found if match.kind in ("node", "service")]


def _action(visit: Visit, do: str, match: Match) -> Row:
    if match.kind == "node":
        return Row(ON_NAMES[do].format(match.name), "action", visit.links.to("nodes", match.key, do=do))
    label = ON_NAMES[do].format(f"the service {match.name}")
    return Row(label, "action", visit.links.to("services", do=do, service=match.key))


def _row(visit: Visit, match: Match) -> Row:
    return Row(match.name, match.kind, ADDRESSES[match.kind](visit.links, match), match.detail)


PAGES = (PageRoute("search", show),)
