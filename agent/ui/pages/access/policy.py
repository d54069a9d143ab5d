"""One policy: its rules, checked while they are written, and the tokens and roles that use it."""

from __future__ import annotations

import asyncio
import shlex
from typing import Any

from pyconsul.agent.acl.rules import WRITE
from pyconsul.agent.model.acl import MANAGEMENT_ID, READ_ONLY_ID, Policy
from pyconsul.agent.reads import acl as reads
from pyconsul.agent.ui.contract import Action, Missing, Outcome, Page, PageRoute, Question, Refused
from pyconsul.agent.ui.pages.access import usage
from pyconsul.agent.ui.pages.access.entrance import BOOTSTRAP, SECTION, closed, lines_of, require_unchanged, typed
from pyconsul.agent.ui.pages.access.rule_check import RuleCheck, check_rules
from pyconsul.agent.ui.visit import Visit

BUILTIN = (MANAGEMENT_ID, READ_ONLY_ID)
NOT_WRITTEN = "The policy was not written"
LONG = 2048  # characters of rules whose check takes so long that others should not wait for it
EXAMPLE = """key_prefix "app/" {
  policy = "read"
}
service "web" {
  policy = "write"
}
"""


def show_new(visit: Visit) -> Page:
    """Show the form of a new policy; with `?copy=ID` filled in from another one."""
    if (page := closed(visit)) is not None:
        return page
    other: Policy | None = visit.read(reads.policy(visit.view, visit.caller, visit.params.get("copy", "")))
    kept = Policy(id="", name=f"{other.name}-copy", description=other.description, rules=other.rules) if other else None
    return _page(visit, None, kept, None)


def show(visit: Visit) -> Page:
    """Show a policy, with the form that changes it."""
    if (page := closed(visit)) is not None:
        return page
    policy = _policy(visit)
    return _page(visit, policy, policy, None)


def _page(visit: Visit, policy: Policy | None, kept: Policy | None, checked: RuleCheck | None) -> Page:
    """kept: what stands in the form, unless something was typed."""
    kept = kept or Policy(id="", name="")
    data: dict[str, Any] = {
        "policy": policy,
        "is_builtin": kept.id in BUILTIN,
        "name": typed(visit, "name", kept.name),
        "description": typed(visit, "description", kept.description),
        "rules": lines_of(typed(visit, "rules", kept.rules)),
        "datacenters": typed(visit, "datacenters", ", ".join(kept.datacenters)),
        "example": EXAMPLE,
        "checked": checked,
        "usage": usage.of_policy(visit.view, policy.id, policy.name, visit.now) if policy is not None else None,
        "missing": visit.lacks("acl:write"),
    }
    return Page("access/policy.html", policy.name if policy is not None else "New policy", SECTION, data)


def _policy(visit: Visit) -> Policy:
    policy_id = visit.names["id"]
    policy: Policy | None = visit.read(reads.policy(visit.view, visit.caller, policy_id))
    if policy is None:
        raise Missing(
            f'Policy "{policy_id}" does not exist', "", "It was deleted, or the address holds no ID of a policy."
        )
    return policy


async def check_new(visit: Visit) -> Page:
    """Show the form of a new policy with the result of the check of its rules."""
    return _page(visit, None, None, await _checked(visit))


async def check(visit: Visit) -> Page:
    """Show the form of a policy with the result of the check of its rules."""
    policy = _policy(visit)
    return _page(visit, policy, policy, await _checked(visit))


async def _checked(visit: Visit) -> RuleCheck:
    visit.caller.require("acl", WRITE)  # before rules are parsed, which may take long
    rules = lines_of(visit.form.get("rules", ""))
    return await asyncio.to_thread(check_rules, rules) if len(rules) > LONG else check_rules(rules)


async def create(visit: Visit) -> Outcome:
    """Create a policy."""
    checked = await _usable(visit)
    answer = await visit.send("PUT", "/v1/acl/policy", _body(visit), failed=NOT_WRITTEN)
    policy = answer.json()
    location = visit.links.to("acls", "policies", policy["ID"])
    return Outcome(f"The policy {policy['Name']} is created.", location, checked.hints)


async def change(visit: Visit) -> Outcome:
    """Change a policy."""
    policy = _policy(visit)
    require_unchanged(visit, policy.modify_index, NOT_WRITTEN)
    checked = await _usable(visit)
    await visit.send("PUT", f"/v1/acl/policy/{policy.id}", _body(visit), failed=NOT_WRITTEN)
    return Outcome("The policy is changed. The change holds from now on.", "", checked.hints)


async def _usable(visit: Visit) -> RuleCheck:
    """Return the result for rules that can be used.  Raises Refused with the line of an error."""
    checked = await _checked(visit)
    if checked.error:
        raise Refused(NOT_WRITTEN, "", "", rules=checked.reason)
    return checked


def _body(visit: Visit) -> dict[str, Any]:
    return {
        "Name": visit.form.get("name", "").strip(),
        "Description": visit.form.get("description", "").strip(),
        "Rules": lines_of(visit.form.get("rules", "")),
        "Datacenters": [one for one in visit.form.get("datacenters", "").replace(",", " ").split() if one],
    }


def ask_delete(visit: Visit) -> Question:
    """Ask before a policy is deleted."""
    policy = _policy(visit)
    return Question(
        f"Delete the policy {policy.name}?",
        usage.of_policy(visit.view, policy.id, policy.name, visit.now).sentences(),
        f"Delete the policy {policy.name}",
        f"pyconsul acl policy delete -name {shlex.quote(policy.name)}",
        destructive=True,
        lacks="built-in policies cannot be deleted" if policy.id in BUILTIN else visit.lacks("acl:write"),
    )


async def delete(visit: Visit) -> Outcome:
    """Delete a policy."""
    policy = _policy(visit)
    await visit.send("DELETE", f"/v1/acl/policy/{policy.id}", failed="The policy was not deleted")
    return Outcome(f"The policy {policy.name} is deleted.", visit.links.to("acls", "policies"))


NEW = {"save": Action(create), "check": Action(check_new, harmless=True), "bootstrap": BOOTSTRAP}
ACTIONS = {"save": Action(change), "check": Action(check, harmless=True), "delete": Action(delete, ask_delete)}
PAGES = (PageRoute("acls/policies/create", show_new, NEW), PageRoute("acls/policies/{id}", show, ACTIONS))
