"""Tokens: what each is linked to, and when it ends."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from pyconsul.agent.model.acl import Grants, Token
from pyconsul.agent.reads import acl as reads
from pyconsul.agent.state.acl.tables import POLICIES, ROLES
from pyconsul.agent.ui.contract import Page, PageRoute
from pyconsul.agent.ui.pages.access.entrance import BOOTSTRAP, SECTION, closed
from pyconsul.agent.ui.pages.listing import part_of, words_match
from pyconsul.agent.ui.visit import Visit


@dataclass(frozen=True, slots=True)
class Link:
    """Something that a token or role is linked to.  address: "" for what has no page."""

    kind: str
    name: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A token.  name: its description.  is_own: of the browser.  login: the auth method that made it."""

    accessor: str
    name: str
    is_own: bool
    is_local: bool
    login: str
    links: tuple[Link, ...]
    created: float
    expires: float | None


def show(visit: Visit) -> Page:
    """Show the tokens, the newest first."""
    if (page := closed(visit)) is not None:
        return page
    search = visit.params.get("filter", "").strip()
    found: list[Token] = visit.read(reads.tokens(visit.view, visit.caller, visit.now, lambda token: True))
    own = visit.caller.accessor
    found.sort(key=lambda token: (token.accessor_id != own, -token.created, token.accessor_id))
    chosen = [token for token in found if _fits(visit, token, search)] if search else found
    part = part_of(visit, chosen, partial(_address, visit))
    data = {
        "total": len(chosen),
        "all": len(found),
        "search": search,
        "part": part,
        "rows": [_row(visit, token) for token in part.rows],
        "missing": visit.lacks("acl:write"),
    }
    return Page("access/tokens.html", "Tokens", SECTION, data)


def links_of(visit: Visit, grants: Grants) -> tuple[Link, ...]:
    """Return what grants are linked to; what was deleted is left out."""
    policies = (visit.view[POLICIES].get(one) for one in grants.policies)
    roles = (visit.view[ROLES].get(one) for one in grants.roles)
    to = visit.links.to
    return (
        *(Link("policy", row.name, to("acls", "policies", row.id)) for row in policies if row is not None),
        *(Link("role", row.name, to("acls", "roles", row.id)) for row in roles if row is not None),
        *(Link("service", one.service_name) for one in grants.service_identities),
        *(Link("node", one.node_name) for one in grants.node_identities),
        *(Link("template", f"{one.template_name} {one.name or ''}".strip()) for one in grants.templated_policies),
    )


def _row(visit: Visit, token: Token) -> Row:
    return Row(
        token.accessor_id,
        token.description,
        token.accessor_id == visit.caller.accessor,
        token.local,
        token.auth_method,
        links_of(visit, token.grants),
        token.created,
        token.expires,
    )


def _fits(visit: Visit, token: Token, search: str) -> bool:
    links = [f"{link.kind} {link.name}" for link in links_of(visit, token.grants)]
    return words_match(search, token.accessor_id, token.description, token.auth_method, *links)


def _address(visit: Visit, number: int) -> str:
    kept = visit.params.get("filter", "")
    return visit.links.to("acls", "tokens", filter=kept, part=number if number > 1 else None)


ACTIONS = {"bootstrap": BOOTSTRAP}
PAGES = (PageRoute("acls", show, ACTIONS), PageRoute("acls/tokens", show, ACTIONS))
