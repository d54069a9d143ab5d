"""One role: its grants, and the tokens that have it."""

from __future__ import annotations

import shlex
from typing import Any

from msgspec.structs import replace

from pyconsul.agent.model.acl import Role
from pyconsul.agent.reads import acl as reads
from pyconsul.agent.ui.contract import Action, Missing, Outcome, Page, PageRoute, Question
from pyconsul.agent.ui.pages.access import grant_fields, usage
from pyconsul.agent.ui.pages.access.entrance import BOOTSTRAP, SECTION, closed, require_unchanged, typed
from pyconsul.agent.ui.visit import Visit

NOT_WRITTEN = "The role was not written"


def show_new(visit: Visit) -> Page:
    """Show the form of a new role; with `?copy=ID` filled in from another one."""
    if (page := closed(visit)) is not None:
        return page
    other: Role | None = visit.read(reads.role(visit.view, visit.caller, visit.params.get("copy", "")))
    return _page(visit, None, replace(other, name=f"{other.name}-copy") if other is not None else None)


def show(visit: Visit) -> Page:
    """Show a role, with the form that changes it."""
    if (page := closed(visit)) is not None:
        return page
    role = _role(visit)
    return _page(visit, role, role)


def _page(visit: Visit, role: Role | None, kept: Role | None) -> Page:
    kept = kept or Role(id="", name="")
    fields = grant_fields.of_form(visit) if visit.form else grant_fields.of_grants(visit.view, kept.grants)
    policies = [row.name for row in visit.read(reads.policies(visit.view, visit.caller))]
    data: dict[str, Any] = {
        "role": role,
        "name": typed(visit, "name", kept.name),
        "description": typed(visit, "description", kept.description),
        "fields": fields,
        "policies": grant_fields.choices(policies, fields.policies),
        "roles": None,
        "every": (policies, []),
        "usage": usage.of_role(visit.view, role.id, role.name, visit.now) if role is not None else None,
        "missing": visit.lacks("acl:write"),
    }
    return Page("access/role.html", role.name if role is not None else "New role", SECTION, data)


def _role(visit: Visit) -> Role:
    role_id = visit.names["id"]
    role: Role | None = visit.read(reads.role(visit.view, visit.caller, role_id))
    if role is None:
        raise Missing(f'Role "{role_id}" does not exist', "", "It was deleted, or the address holds no ID of a role.")
    return role


async def create(visit: Visit) -> Outcome:
    """Create a role."""
    answer = await visit.send("PUT", "/v1/acl/role", _body(visit), failed=NOT_WRITTEN)
    role = answer.json()
    return Outcome(f"The role {role['Name']} is created.", visit.links.to("acls", "roles", role["ID"]))


async def change(visit: Visit) -> Outcome:
    """Change a role."""
    role = _role(visit)
    require_unchanged(visit, role.modify_index, NOT_WRITTEN)
    await visit.send("PUT", f"/v1/acl/role/{role.id}", _body(visit), failed=NOT_WRITTEN)
    return Outcome("The role is changed. The change holds from now on.")


def _body(visit: Visit) -> dict[str, Any]:
    body = grant_fields.body_of(grant_fields.of_form(visit), visit.datacenter)
    del body["Roles"]
    name, description = visit.form.get("name", "").strip(), visit.form.get("description", "").strip()
    return {"Name": name, "Description": description, **body}


def ask_delete(visit: Visit) -> Question:
    """Ask before a role is deleted."""
    role = _role(visit)
    return Question(
        f"Delete the role {role.name}?",
        usage.of_role(visit.view, role.id, role.name, visit.now).sentences(),
        f"Delete the role {role.name}",
        f"pyconsul acl role delete -name {shlex.quote(role.name)}",
        destructive=True,
        lacks=visit.lacks("acl:write"),
    )


async def delete(visit: Visit) -> Outcome:
    """Delete a role."""
    role = _role(visit)
    await visit.send("DELETE", f"/v1/acl/role/{role.id}", failed="The role was not deleted")
    return Outcome(f"The role {role.name} is deleted.", visit.links.to("acls", "roles"))


ACTIONS = {"save": Action(change), "delete": Action(delete, ask_delete)}
PAGES = (
    PageRoute("acls/roles/create", show_new, {"save": Action(create), "bootstrap": BOOTSTRAP}),
    PageRoute("acls/roles/{id}", show, ACTIONS),
)
