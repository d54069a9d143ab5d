"""Log in with a token, and log out."""

from __future__ import annotations

from pyconsul.agent.ui.contract import Action, Outcome, Page, PageRoute, Refused
from pyconsul.agent.ui.visit import Visit


def show(visit: Visit) -> Page:
    """Show the form."""
    return Page("login.html", "Log in", "", {"next": _next(visit)})


async def login(visit: Visit) -> Outcome:
    """Log in with the token of the form."""
    token = visit.form.get("token", "").strip()
    answer = await visit.ask("GET", "/v1/acl/token/self", headers={"X-Consul-Token": token})
    if not token or not answer.ok:
        raise Refused(
            "This token is not known", answer.text, "Copy the secret ID of a token, not its accessor ID.", status=403
        )
    return Outcome("Logged in.", _next(visit), login=token)


async def logout(visit: Visit) -> Outcome:
    """Log out: the browser has no token any more."""
    return Outcome("Logged out.", visit.links.to("login"), login="")


def _next(visit: Visit) -> str:
    """Return the page to go on with: one of this site only."""
    wanted = visit.form.get("next") or visit.params.get("next", "")
    return wanted if wanted.startswith(visit.links.root) and "\\" not in wanted else visit.links.to()


PAGES = (PageRoute("login", show, {"login": Action(login, harmless=True), "logout": Action(logout, harmless=True)}),)
