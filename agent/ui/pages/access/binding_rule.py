"""One binding rule of an auth method: which logins it selects, and what it grants to them."""

from __future__ import annotations

from typing import Any

from pyconsul.agent.acl.methods.binding import BIND_TYPES
from pyconsul.agent.model.acl import BindingRule
from pyconsul.agent.reads import acl as reads
from pyconsul.agent.ui.contract import Action, Missing, Outcome, Page, PageRoute, Question
from pyconsul.agent.ui.pages.access.auth_method import method_of
from pyconsul.agent.ui.pages.access.entrance import SECTION, closed, typed
from pyconsul.agent.ui.visit import Visit

NOT_WRITTEN = "The binding rule was not written"


def show_new(visit: Visit) -> Page:
    """Show the form of a new binding rule."""
    return closed(visit) or _page(visit, None)


def show(visit: Visit) -> Page:
    """Show a binding rule, with the form that changes it."""
    return closed(visit) or _page(visit, _rule(visit))


def _page(visit: Visit, rule: BindingRule | None) -> Page:
    method = method_of(visit)
    kept = rule or BindingRule(id="", auth_method=method.name, bind_type="role", bind_name="")
    data: dict[str, Any] = {
        "rule": rule,
        "method": method.name,
        "types": [(one, one) for one in BIND_TYPES],
        "description": typed(visit, "description", kept.description),
        "selector": typed(visit, "selector", kept.selector),
        "bind_type": typed(visit, "bind_type", kept.bind_type),
        "bind_name": typed(visit, "bind_name", kept.bind_name),
        "bind_vars": typed(visit, "bind_vars", (kept.bind_vars or {}).get("Name", "")),
        "missing": visit.lacks("acl:write"),
    }
    title = f"Binding rule of {method.name}" if rule is not None else f"New binding rule of {method.name}"
    return Page("access/binding_rule.html", title, SECTION, data)


def _rule(visit: Visit) -> BindingRule:
    rule_id, method = visit.names["id"], method_of(visit)
    rule: BindingRule | None = visit.read(reads.binding_rule(visit.view, visit.caller, rule_id))
    if rule is None or rule.auth_method.lower() != method.name.lower():
        raise Missing(f'{method.name} has no binding rule "{rule_id}"', "", "It was deleted, or the address is wrong.")
    return rule


async def create(visit: Visit) -> Outcome:
    """Create a binding rule."""
    await visit.send("PUT", "/v1/acl/binding-rule", _body(visit), failed=NOT_WRITTEN)
    return Outcome("The binding rule is created.", _back(visit))


async def change(visit: Visit) -> Outcome:
    """Change a binding rule."""
    await visit.send("PUT", f"/v1/acl/binding-rule/{_rule(visit).id}", _body(visit), failed=NOT_WRITTEN)
    return Outcome("The binding rule is changed.", _back(visit))


def _body(visit: Visit) -> dict[str, Any]:
    kept = (
        ("description", "Description"),
        ("selector", "Selector"),
        ("bind_type", "BindType"),
        ("bind_name", "BindName"),
    )
    body: dict[str, Any] = {name: visit.form.get(field, "").strip() for field, name in kept}
    if variable := visit.form.get("bind_vars", "").strip():
        body["BindVars"] = {"Name": variable}
    return {"AuthMethod": method_of(visit).name, **body}


def ask_delete(visit: Visit) -> Question:
    """Ask before a binding rule is deleted."""
    rule = _rule(visit)
    return Question(
        f"Delete this binding rule of {rule.auth_method}?",
        (
            f"New logins that it selects are not granted the {rule.bind_type} {rule.bind_name} by it any more.",
            "Tokens that were made by logins keep what they have.",
        ),
        f"Delete the binding rule {rule.id[:8]}",
        f"pyconsul acl binding-rule delete -id {rule.id}",
        destructive=True,
        lacks=visit.lacks("acl:write"),
    )


async def delete(visit: Visit) -> Outcome:
    """Delete a binding rule."""
    await visit.send("DELETE", f"/v1/acl/binding-rule/{_rule(visit).id}", failed="The binding rule was not deleted")
    return Outcome("The binding rule is deleted.", _back(visit))


def _back(visit: Visit) -> str:
    return visit.links.to("acls", "auth-methods", visit.names["name"])


ADDRESS = "acls/auth-methods/{name}/binding-rules/"
PAGES = (
    PageRoute(ADDRESS + "create", show_new, {"save": Action(create)}),
    PageRoute(ADDRESS + "{id}", show, {"save": Action(change), "delete": Action(delete, ask_delete)}),
)
