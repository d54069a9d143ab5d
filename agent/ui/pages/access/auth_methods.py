"""Auth methods: where people who log in are known from."""

from __future__ import annotations

from dataclasses import dataclass

from pyconsul.agent.model.acl import AuthMethod
from pyconsul.agent.reads import acl as reads
from pyconsul.agent.state.acl import auth as acl_auth
from pyconsul.agent.state.acl.tables import TOKENS
from pyconsul.agent.ui.contract import Page, PageRoute
from pyconsul.agent.ui.pages.access.entrance import BOOTSTRAP, SECTION, closed
from pyconsul.agent.ui.visit import Visit


@dataclass(frozen=True, slots=True)
class Row:
    """An auth method.  ttl_s: of its tokens, 0: they do not end."""

    name: str
    title: str
    type: str
    description: str
    ttl_s: float
    rules: int
    tokens: int


def show(visit: Visit) -> Page:
    """Show the auth methods, by name."""
    if (page := closed(visit)) is not None:
        return page
    found: list[AuthMethod] = visit.read(reads.auth_methods(visit.view, visit.caller))
    rows = [_row(visit, method) for method in found]
    return Page(
        "access/auth_methods.html", "Auth methods", SECTION, {"rows": rows, "missing": visit.lacks("acl:write")}
    )


def _row(visit: Visit, method: AuthMethod) -> Row:
    return Row(
        method.name,
        method.display_name,
        method.type,
        method.description,
        method.max_token_ttl / 1e9,
        len(acl_auth.all_rules(visit.view, method.name)),
        len(visit.view[TOKENS].by("method", method.name)),
    )


PAGES = (PageRoute("acls/auth-methods", show, {"bootstrap": BOOTSTRAP}),)
