"""One auth method: its settings, and its binding rules."""

from __future__ import annotations

import json
import shlex
from typing import Any

from pyconsul.agent.common.go.durations import format_go_duration_ns
from pyconsul.agent.model.acl import AuthMethod
from pyconsul.agent.reads import acl as reads
from pyconsul.agent.ui.contract import Action, Missing, Outcome, Page, PageRoute, Question, Refused
from pyconsul.agent.ui.pages.access import usage
from pyconsul.agent.ui.pages.access.entrance import BOOTSTRAP, SECTION, closed, lines_of, require_unchanged, typed
from pyconsul.agent.ui.shown import plural
from pyconsul.agent.ui.visit import Visit

NOT_WRITTEN = "The auth method was not written"
EXAMPLE = {
    "JWKSURL": "https://login.example.org/keys",
    "BoundAudiences": ["pyconsul"],
    "ClaimMappings": {"sub": "user"},
}


def show_new(visit: Visit) -> Page:
    """Show the form of a new auth method."""
    if (page := closed(visit)) is not None:
        return page
    visit.read(reads.auth_methods(visit.view, visit.caller))
    return _page(visit, None)


def show(visit: Visit) -> Page:
    """Show an auth method, with the form that changes it."""
    if (page := closed(visit)) is not None:
        return page
    return _page(visit, method_of(visit))


def _page(visit: Visit, method: AuthMethod | None) -> Page:
    kept = method or AuthMethod(name="", type="jwt", config=EXAMPLE)
    ttl = format_go_duration_ns(kept.max_token_ttl) if kept.max_token_ttl else ""
    data: dict[str, Any] = {
        "method": method,
        "name": typed(visit, "name", kept.name),
        "title": typed(visit, "title", kept.display_name),
        "description": typed(visit, "description", kept.description),
        "ttl": typed(visit, "ttl", ttl),
        "locality": typed(visit, "locality", kept.token_locality),
        "config": lines_of(typed(visit, "config", json.dumps(kept.config, indent=2, ensure_ascii=False))),
        "rules": visit.read(reads.binding_rules(visit.view, visit.caller, method.name)) if method is not None else (),
        "tokens": usage.of_method(visit.view, method.name, visit.now)[0] if method is not None else (),
        "missing": visit.lacks("acl:write"),
    }
    return Page("access/auth_method.html", method.name if method is not None else "New auth method", SECTION, data)


def method_of(visit: Visit) -> AuthMethod:
    """Return the auth method that the address names.  Raises Missing."""
    name = visit.names["name"]
    method: AuthMethod | None = visit.read(reads.auth_method(visit.view, visit.caller, name))
    if method is None:
        raise Missing(f'Auth method "{name}" does not exist', "", "It was deleted, or the address is wrong.")
    return method


async def create(visit: Visit) -> Outcome:
    """Create an auth method."""
    body = _body(visit, "jwt")
    name = visit.form.get("name", "").strip()
    found = await visit.ask("GET", f"/v1/acl/auth-method/{name}") if name else None
    if found is not None and found.ok:
        raise Refused(NOT_WRITTEN, "", "", name=f"there is an auth method {name} already")
    await visit.send("PUT", "/v1/acl/auth-method", {"Name": name, **body}, failed=NOT_WRITTEN)
    return Outcome(f"The auth method {name} is created. Add a binding rule now.", _address(visit, name))


async def change(visit: Visit) -> Outcome:
    """Change an auth method."""
    method = method_of(visit)
    require_unchanged(visit, method.modify_index, NOT_WRITTEN)
    path = f"/v1/acl/auth-method/{method.name}"
    await visit.send("PUT", path, {"Name": method.name, **_body(visit, method.type)}, failed=NOT_WRITTEN)
    return Outcome("The auth method is changed.")


def _body(visit: Visit, kind: str) -> dict[str, Any]:
    """Return the body of the request.  Raises Refused with the line of an error in the configuration."""
    try:
        config = json.loads(lines_of(visit.form.get("config", "")) or "{}")
    except json.JSONDecodeError as error:
        raise Refused(NOT_WRITTEN, "", "", config=f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    if not isinstance(config, dict):
        raise Refused(NOT_WRITTEN, "", "", config="it must be an object: { … }")
    return {
        "Type": kind,
        "DisplayName": visit.form.get("title", "").strip(),
        "Description": visit.form.get("description", "").strip(),
        "MaxTokenTTL": visit.form.get("ttl", "").strip() or "0s",
        "TokenLocality": visit.form.get("locality", ""),
        "Config": config,
    }


def ask_delete(visit: Visit) -> Question:
    """Ask before an auth method is deleted."""
    method = method_of(visit)
    tokens, rules = usage.of_method(visit.view, method.name, visit.now)
    sentences = [f"Its {plural(len(rules), 'binding rule')} and {plural(len(tokens), 'token')} are deleted with it."]
    if tokens:
        sentences.append("Everybody who has logged in by it is logged out.")
    return Question(
        f"Delete the auth method {method.name}?",
        tuple(sentences),
        f"Delete the auth method {method.name}",
        f"pyconsul acl auth-method delete -name {shlex.quote(method.name)}",
        destructive=True,
        lacks=visit.lacks("acl:write"),
    )


async def delete(visit: Visit) -> Outcome:
    """Delete an auth method."""
    name = method_of(visit).name
    await visit.send("DELETE", f"/v1/acl/auth-method/{name}", failed="The auth method was not deleted")
    return Outcome(f"The auth method {name} is deleted.", visit.links.to("acls", "auth-methods"))


def _address(visit: Visit, name: str) -> str:
    return visit.links.to("acls", "auth-methods", name)


ACTIONS = {"save": Action(change), "delete": Action(delete, ask_delete)}
PAGES = (
    PageRoute("acls/auth-methods/create", show_new, {"save": Action(create), "bootstrap": BOOTSTRAP}),
    PageRoute("acls/auth-methods/{name}", show, ACTIONS),
    PageRoute("acls/auth-methods/{name}/auth-method", show, ACTIONS),
    PageRoute("acls/auth-methods/{name}/binding-rules", show, ACTIONS),
)
