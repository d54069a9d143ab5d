"""One token: what it is linked to and grants; create, change, use, clone, delete, and its secret on request."""

from __future__ import annotations

import shlex
from typing import Any

from pyconsul.agent.acl.rules import WRITE
from pyconsul.agent.model.acl import ANONYMOUS_ID, Policy, Token
from pyconsul.agent.reads import acl as reads
from pyconsul.agent.ui.contract import Action, Field, Missing, Outcome, Page, PageRoute, Question
from pyconsul.agent.ui.pages.access import grant_fields
from pyconsul.agent.ui.pages.access.entrance import BOOTSTRAP, SECTION, closed, require_unchanged, typed
from pyconsul.agent.ui.pages.access.tokens import links_of
from pyconsul.agent.ui.pages.access.usage import listed
from pyconsul.agent.ui.visit import Visit

NOT_WRITTEN = "The token was not written"


def show_new(visit: Visit) -> Page:
    """Show the form of a new token."""
    if (page := closed(visit)) is not None:
        return page
    data = _form(visit, None)
    return Page("access/token.html", "New token", SECTION, data)


def show(visit: Visit) -> Page:
    """Show a token, with the form that changes it."""
    if (page := closed(visit)) is not None:
        return page
    token = _token(visit)
    return Page("access/token.html", token.description or "Token", SECTION, _form(visit, token))


def _form(visit: Visit, token: Token | None) -> dict[str, Any]:
    kept = grant_fields.of_grants(visit.view, token.grants) if token is not None else grant_fields.GrantFields()
    fields = grant_fields.of_form(visit) if visit.form else kept
    policies = [row.name for row in visit.read(reads.policies(visit.view, visit.caller))]
    roles = sorted(row.name for row in visit.read(reads.roles(visit.view, visit.caller)))
    return {
        "token": token,
        "is_own": token is not None and token.accessor_id == visit.caller.accessor,
        "is_anonymous": token is not None and token.accessor_id == ANONYMOUS_ID,
        "links": links_of(visit, token.grants) if token is not None else (),
        "in_force": _in_force(visit, token),
        "services": _services(visit, token),
        "node": visit.config.node_name,
        "description": typed(visit, "description", token.description if token is not None else ""),
        "local": typed(visit, "local") == "true",
        "ttl": typed(visit, "ttl"),
        "fields": fields,
        "policies": grant_fields.choices(policies, fields.policies),
        "roles": grant_fields.choices(roles, fields.roles),
        "every": (policies, roles),
        "missing": visit.lacks("acl:write"),
        "method_address": visit.links.to("acls", "auth-methods", token.auth_method) if token is not None else "",
    }


def _token(visit: Visit) -> Token:
    accessor = visit.names["accessor"]
    try:
        token: Token | None = visit.read(reads.token(visit.view, visit.caller, accessor, visit.now))
    except ValueError:
        token = None
    if token is None:
        raise Missing(
            f'Token "{accessor}" does not exist',
            "",
            "It was deleted or has expired, or the address holds no accessor ID.",
        )
    return token


def _in_force(visit: Visit, token: Token | None) -> list[Policy]:
    """Return all policies that hold for a token here: its own, and those of roles, identities and templates."""
    acl = visit.context.acl
    return [] if token is None or acl is None else acl.policies(token.grants)


def _services(visit: Visit, token: Token | None) -> list[str]:
    """Return the services that are registered with a token at the agent that shows the page; other agents keep theirs."""
    if token is None:
        return []
    rows = visit.context.agent.local.services.values()
    return sorted(row.service.service for row in rows if row.token == token.secret_id)


async def create(visit: Visit) -> Outcome:
    """Create a token."""
    body = _body(visit)
    body["Local"] = visit.form.get("local") == "true"
    if ttl := visit.form.get("ttl", "").strip():
        body["ExpirationTTL"] = ttl
    answer = await visit.send("PUT", "/v1/acl/token", body, failed=NOT_WRITTEN)
    return _made(visit, answer.json(), "The token is created")


async def change(visit: Visit) -> Outcome:
    """Change the description and the grants of a token."""
    token = _token(visit)
    require_unchanged(visit, token.modify_index, NOT_WRITTEN)
    body = {**_body(visit), "Local": token.local}
    await visit.send("PUT", f"/v1/acl/token/{token.accessor_id}", body, failed=NOT_WRITTEN)
    return Outcome("The token is changed. The change holds from now on.")


def _body(visit: Visit) -> dict[str, Any]:
    fields = grant_fields.of_form(visit)
    return {
        "Description": visit.form.get("description", "").strip(),
        **grant_fields.body_of(fields, visit.datacenter),
    }


def _made(visit: Visit, token: dict[str, Any], text: str) -> Outcome:
    address = visit.links.to("acls", "tokens", token["AccessorID"])
    return Outcome(text, address, secret=token["SecretID"])


async def _secret(visit: Visit) -> str:
    """Return the secret of the token.  Raises PermissionDenied."""
    visit.caller.require("acl", WRITE)
    token = await visit.get(f"/v1/acl/token/{_token(visit).accessor_id}")
    secret: str = token["SecretID"]
    return secret


def ask_secret(visit: Visit) -> Question:
    """Ask before the secret is shown."""
    accessor = _token(visit).accessor_id
    return Question(
        "Show the secret of this token?",
        ("Its bearer may do all that the token grants. It stands on the next page.",),
        f"Show the secret of {accessor[:8]}",
        f"pyconsul acl token read -accessor-id {accessor}",
        lacks=visit.lacks("acl:write"),
    )


async def show_secret(visit: Visit) -> Outcome:
    """Show the secret of a token."""
    return Outcome("Secret of the token", _own_address(visit), secret=await _secret(visit))


def ask_use(visit: Visit) -> Question:
    """Ask before the browser uses another token."""
    accessor = _token(visit).accessor_id
    return Question(
        "Use this token?",
        (
            "This browser is logged in with it instead of the present token; all pages show what it may see.",
            "To come back, log in again with the secret of the present token.",
        ),
        f"Use the token {accessor[:8]}",
        "export CONSUL_HTTP_TOKEN=…",
        lacks=visit.lacks("acl:write"),
    )


async def use(visit: Visit) -> Outcome:
    """Log in with a token."""
    secret = await _secret(visit)
    return Outcome(f"Logged in with the token {_token(visit).accessor_id}.", visit.links.to(), login=secret)


def ask_clone(visit: Visit) -> Question:
    """Ask before a token is cloned."""
    token = _token(visit)
    return Question(
        "Clone this token?",
        ("The clone grants the same, and has another secret.",),
        f"Clone {token.accessor_id[:8]}",
        f"pyconsul acl token clone -accessor-id {token.accessor_id}",
        fields=(Field("description", "Description", value=token.description),),
        lacks=visit.lacks("acl:write"),
    )


async def clone(visit: Visit) -> Outcome:
    """Clone a token."""
    token = _token(visit)
    body = {"Description": visit.form.get("description", "").strip()}
    path = f"/v1/acl/token/{token.accessor_id}/clone"
    answer = await visit.send("PUT", path, body, failed="The token was not cloned")
    return _made(visit, answer.json(), "The token is cloned")


def ask_delete(visit: Visit) -> Question:
    """Ask before a token is deleted."""
    token = _token(visit)
    sentences = ["Requests with its secret are refused from then on."]
    if links := links_of(visit, token.grants):
        sentences.append(f"Its bearers lose what it grants: {listed(f'{one.kind} {one.name}' for one in links)}.")
    if services := _services(visit, token):
        node = visit.config.node_name
        sentences.append(f"The agent on {node} registers with it: {listed(services)}. That fails from then on.")
    if token.accessor_id == visit.caller.accessor:
        sentences.append("It is the token of this browser; the agent refuses to delete that.")
    return Question(
        f"Delete {token.description or 'the token ' + token.accessor_id[:8]}?",
        tuple(sentences),
        f"Delete the token {token.accessor_id[:8]}",
        f"pyconsul acl token delete -accessor-id {shlex.quote(token.accessor_id)}",
        destructive=True,
        lacks=visit.lacks("acl:write"),
    )


async def delete(visit: Visit) -> Outcome:
    """Delete a token."""
    accessor = _token(visit).accessor_id
    await visit.send("DELETE", f"/v1/acl/token/{accessor}", failed="The token was not deleted")
    return Outcome(f"The token {accessor} is deleted.", visit.links.to("acls", "tokens"))


def _own_address(visit: Visit) -> str:
    return visit.links.to("acls", "tokens", visit.names["accessor"])


ACTIONS = {
    "save": Action(change),
    "secret": Action(show_secret, ask_secret),
    "use": Action(use, ask_use),
    "clone": Action(clone, ask_clone),
    "delete": Action(delete, ask_delete),
}
PAGES = (
    PageRoute("acls/tokens/create", show_new, {"save": Action(create), "bootstrap": BOOTSTRAP}),
    PageRoute("acls/tokens/{accessor}", show, ACTIONS),
)
