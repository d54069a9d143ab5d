"""Policies: what each grants, and how many tokens and roles use it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from pyconsul.agent.acl.parse import RuleError, parse_rules
from pyconsul.agent.acl.resolver import LONG_RULES
from pyconsul.agent.model.acl import Policy
from pyconsul.agent.reads import acl as reads
from pyconsul.agent.state.acl.tables import ROLES, TOKENS
from pyconsul.agent.ui.contract import Page, PageRoute
from pyconsul.agent.ui.pages.access.entrance import BOOTSTRAP, SECTION, closed
from pyconsul.agent.ui.pages.access.rule_check import in_words
from pyconsul.agent.ui.pages.listing import part_of, words_match
from pyconsul.agent.ui.visit import Visit

SHOWN = 3  # rules of a row


@dataclass(frozen=True, slots=True)
class Row:
    """A policy.  grants: its first rules in words; more: how many others there are."""

    id: str
    name: str
    description: str
    datacenters: tuple[str, ...]
    grants: tuple[str, ...]
    more: int
    tokens: int
    roles: int


def show(visit: Visit) -> Page:
    """Show the policies, by name."""
    if (page := closed(visit)) is not None:
        return page
    search = visit.params.get("filter", "").strip()
    found: list[Policy] = visit.read(reads.policies(visit.view, visit.caller))
    chosen = [row for row in found if words_match(search, row.name, row.description, row.rules)]
    part = part_of(visit, chosen, partial(_address, visit))
    data = {
        "total": len(chosen),
        "all": len(found),
        "search": search,
        "part": part,
        "rows": [_row(visit, policy) for policy in part.rows],
        "missing": visit.lacks("acl:write"),
    }
    return Page("access/policies.html", "Policies", SECTION, data)


def _row(visit: Visit, policy: Policy) -> Row:
    grants = _grants(policy.rules)
    return Row(
        policy.id,
        policy.name,
        policy.description,
        policy.datacenters,
        tuple(grants[:SHOWN]),
        max(0, len(grants) - SHOWN),
        len(visit.view[TOKENS].by("policy", policy.id)),
        len(visit.view[ROLES].by("policy", policy.id)),
    )


def _grants(rules: str) -> list[str]:
    if len(rules) >= LONG_RULES:
        return ["very many rules"]
    try:
        return in_words(parse_rules(rules))
    except RuleError:
        return ["rules that this version cannot read: they grant nothing"]


def _address(visit: Visit, number: int) -> str:
    kept = visit.params.get("filter", "")
    return visit.links.to("acls", "policies", filter=kept, part=number if number > 1 else None)


PAGES = (PageRoute("acls/policies", show, {"bootstrap": BOOTSTRAP}),)
