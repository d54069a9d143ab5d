"""Roles: the grants under each name, and how many tokens have it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from pyconsul.agent.model.acl import Role
from pyconsul.agent.reads import acl as reads
from pyconsul.agent.state.acl.tables import TOKENS
from pyconsul.agent.ui.contract import Page, PageRoute
from pyconsul.agent.ui.pages.access.entrance import BOOTSTRAP, SECTION, closed
from pyconsul.agent.ui.pages.access.tokens import Link, links_of
from pyconsul.agent.ui.pages.listing import part_of, words_match
from pyconsul.agent.ui.visit import Visit


@dataclass(frozen=True, slots=True)
class Row:
    """A role."""

    id: str
    name: str
    description: str
    links: tuple[Link, ...]
    tokens: int


def show(visit: Visit) -> Page:
    """Show the roles, by name."""
    if (page := closed(visit)) is not None:
        return page
    search = visit.params.get("filter", "").strip()
    found: list[Role] = visit.read(reads.roles(visit.view, visit.caller))
    rows = [_row(visit, role) for role in sorted(found, key=lambda role: role.name)]
    chosen = [row for row in rows if words_match(search, row.name, row.description, *(link.name for link in row.links))]
    part = part_of(visit, chosen, partial(_address, visit))
    data = {"total": len(chosen), "all": len(rows), "search": search, "part": part, "missing": visit.lacks("acl:write")}
    return Page("access/roles.html", "Roles", SECTION, data)


def _row(visit: Visit, role: Role) -> Row:
    tokens = len(visit.view[TOKENS].by("role", role.id))
    return Row(role.id, role.name, role.description, links_of(visit, role.grants), tokens)


def _address(visit: Visit, number: int) -> str:
    kept = visit.params.get("filter", "")
    return visit.links.to("acls", "roles", filter=kept, part=number if number > 1 else None)


PAGES = (PageRoute("acls/roles", show, {"bootstrap": BOOTSTRAP}),)
