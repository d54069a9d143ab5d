"""Explain: why a token may or may not do something, in one sentence, and the rules that were looked at."""

from __future__ import annotations

from typing import Any

from pyconsul.agent.acl.rules import NAMED, SINGLE
from pyconsul.agent.ui.contract import Action, Page, PageRoute, Refused
from pyconsul.agent.ui.pages.access.entrance import BOOTSTRAP, SECTION, closed
from pyconsul.agent.ui.visit import Visit, refusal_of

PERMISSIONS = tuple(
    f"{kind}:{level}"
    for kind in sorted(NAMED + SINGLE)
    for level in (("read", "list", "write") if kind == "key" else ("read", "write"))
)
FAILED = "This cannot be explained"


async def show(visit: Visit) -> Page:
    """Show the form; with `?permission=` also the explanation, of the caller or the token `?accessor=`."""
    if (page := closed(visit)) is not None:
        return page
    permission = visit.params.get("permission", "")
    explained = None
    if permission in PERMISSIONS and not visit.form:
        accessor = visit.params.get("accessor", "")
        explained = await _explain(visit, permission, visit.params.get("resource", ""), accessor, "")
    return _page(visit, visit.params, explained)


def _page(visit: Visit, given: Any, explained: dict[str, Any] | None) -> Page:
    """given: the fields as they were sent; a secret is not shown again."""
    accessor = explained["AccessorID"] if explained is not None else given.get("accessor", "")
    data = {
        "permissions": [(one, one) for one in PERMISSIONS],
        "permission": given.get("permission", "key:read"),
        "resource": given.get("resource", ""),
        "accessor": accessor,
        "explained": explained,
        "singles": SINGLE,
    }
    return Page("access/explain.html", "Explain", SECTION, data)


async def explain(visit: Visit) -> Page:
    """Explain what the form asks for; its token is an accessor ID, or a secret, whose bearer may ask about it."""
    permission, resource = visit.form.get("permission", ""), visit.form.get("resource", "")
    token = visit.form.get("token", "").strip()
    return _page(visit, visit.form, await _explain(visit, permission, resource, token, token))


async def _explain(visit: Visit, permission: str, resource: str, accessor: str, secret: str) -> dict[str, Any]:
    """Return the explanation of the API.  Raises Refused."""
    path = "/v1/acl/explain"
    if secret:
        headers = {"X-Consul-Token": secret}
        answer = await visit.ask("GET", path, headers=headers, permission=permission, resource=resource)
        if answer.ok:
            return dict(answer.json())
    other = accessor if accessor != visit.caller.accessor else ""  # the own one needs no permission
    answer = await visit.ask("GET", path, accessor=other or None, permission=permission, resource=resource)
    if "token does not exist" in answer.text:
        raise Refused(FAILED, "", "", token="no token has this accessor ID or secret")
    if not answer.ok:
        raise refusal_of(answer, FAILED)
    return dict(answer.json())


PAGES = (PageRoute("acls/explain", show, {"explain": Action(explain, harmless=True), "bootstrap": BOOTSTRAP}),)
