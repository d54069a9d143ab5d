"""Log in with a token or a JSON web token, and log out."""

from __future__ import annotations

from pyconsul.agent.state.acl import auth as acl_auth
from pyconsul.agent.ui.contract import Action, Outcome, Page, PageRoute, Refused
from pyconsul.agent.ui.visit import Visit, refusal_of

UNKNOWN = "Nobody is logged in"
DENIED = (401, 403)


async def show(visit: Visit) -> Page:
    """Show the forms: to log in with a token, by an auth method, and to log out."""
    own = await visit.ask("GET", "/v1/acl/token/self") if visit.request.token else None
    data = {
        "next": _next(visit),
        "has_token": bool(visit.request.token),
        "made_by": own.json().get("AuthMethod", "") if own is not None and own.ok else "",
        "methods": [
            (method.name, method.display_name or method.name)
            for method in acl_auth.all_methods(visit.view)
            if method.type == "jwt"
        ],
        "method": visit.form.get("method", visit.params.get("method", "")),
    }
    return Page("login.html", "Log in", "", data)


async def login(visit: Visit) -> Outcome:
    """Log in with the token of the form."""
    token = visit.form.get("token", "").strip()
    answer = await visit.ask("GET", "/v1/acl/token/self", headers={"X-Consul-Token": token})
    if not token or answer.status in DENIED:
        raise Refused(
            "This token is not known",
            "",
            "Copy the secret ID of a token, not its accessor ID; it may have expired or been deleted.",
            status=403,
            token="no token has this secret",
        )
    if not answer.ok:
        raise refusal_of(answer, UNKNOWN)
    return Outcome("Logged in.", _next(visit), login=token)


async def login_jwt(visit: Visit) -> Outcome:
    """Log in by an auth method, with a JSON web token; a token is made for the browser."""
    method, bearer = visit.form.get("method", ""), "".join(visit.form.get("jwt", "").split())
    if not bearer:
        raise Refused(UNKNOWN, "", "", jwt="paste the JSON web token that your identity provider has issued")
    body = {"AuthMethod": method, "BearerToken": bearer}
    answer = await visit.ask("POST", "/v1/acl/login", body)
    if answer.status in DENIED:
        reason = answer.text.removeprefix("Permission denied: ")
        advice = "It may have expired, be meant for something else, or no binding rule grants anything to it."
        raise Refused(UNKNOWN, f"The auth method {method} refuses this JSON web token.", advice, status=403, jwt=reason)
    if not answer.ok:
        raise refusal_of(answer, UNKNOWN)
    return Outcome(f"Logged in by {method}.", _next(visit), login=answer.json()["SecretID"])


async def logout(visit: Visit) -> Outcome:
    """Log out: a token that a login has made ends; any other one is only forgotten by the browser."""
    location = visit.links.to("login")
    own = await visit.ask("GET", "/v1/acl/token/self")
    if not own.ok or not own.json().get("AuthMethod"):
        return Outcome("Logged out. The token is forgotten by this browser; it stays valid.", location, login="")
    answer = await visit.ask("POST", "/v1/acl/logout")
    if not answer.ok:
        failure = f"The token that the login made has not ended: {answer.text}"
        return Outcome("Logged out of this browser.", location, failures=(failure,), login="")
    return Outcome("Logged out. The token that the login made is deleted.", location, login="")


def _next(visit: Visit) -> str:
    """Return the page to go on with: one of this site only."""
    wanted = visit.form.get("next") or visit.params.get("next", "")
    is_plain = wanted.isascii() and wanted.isprintable() and "\\" not in wanted and "/." not in wanted
    return wanted if is_plain and wanted.startswith(visit.links.root) else visit.links.to()


ACTIONS = {
    "login": Action(login, harmless=True),
    "login-jwt": Action(login_jwt, harmless=True),
    "logout": Action(logout, harmless=True),
}
PAGES = (PageRoute("login", show, ACTIONS),)
