"""The beginning of all pages of access control: they say so while it is off, or has no first token yet."""

from __future__ import annotations

from pyconsul.agent.state.acl.tokens import bootstrapped_at
from pyconsul.agent.state.topics import ACL
from pyconsul.agent.ui.contract import Action, Outcome, Page, Question, Refused
from pyconsul.agent.ui.visit import READ_ONLY, Visit

SECTION = "acls"


def closed(visit: Visit) -> Page | None:
    """Return the page to show instead of any other: access control is off, or a first token is to be made."""
    acl = visit.context.acl
    if acl is None:
        return Page("access/off.html", "Access control is off", SECTION)
    if bootstrapped_at(visit.view):
        return None
    data = {"lacks": READ_ONLY if visit.config.ui_config.read_only else "", "first": visit.links.to("acls", "tokens")}
    visit.depend((ACL,))
    return Page("access/bootstrap.html", "Access control has no token yet", SECTION, data)


def typed(visit: Visit, name: str, kept: str = "") -> str:
    """Return what stands in a field: what was typed, or else what is kept."""
    return visit.form.get(name, "") if visit.form else kept


def lines_of(text: str) -> str:
    """Return the text of a field with the ends of lines that it had: browsers send CR LF."""
    return text.replace("\r\n", "\n")


def require_unchanged(visit: Visit, modify_index: int, title: str) -> None:
    """Raises Refused if something was changed after its form was shown: the other change would be lost."""
    seen = visit.form.get("seen", "")
    if seen and seen != str(modify_index):
        raise Refused(
            title,
            "It was changed meanwhile by another request.",
            "Open the page again in another tab to compare, or send this form once more to overwrite that change.",
            status=409,
        )


def ask_bootstrap(visit: Visit) -> Question:
    """Ask before the first token is made."""
    return Question(
        "Make the first token?",
        (
            "It may do everything. It is made once only, and its secret is shown once only.",
            "This browser is logged in with it.",
        ),
        "Make the first token",
        "pyconsul acl bootstrap",
        lacks=READ_ONLY if visit.config.ui_config.read_only else "",
    )


async def bootstrap(visit: Visit) -> Outcome:
    """Make the first token."""
    answer = await visit.send("PUT", "/v1/acl/bootstrap", failed="The first token was not made")
    secret = answer.json()["SecretID"]
    return Outcome("The first token is made", visit.links.to("acls", "tokens"), secret=secret, login=secret)


BOOTSTRAP = Action(bootstrap, ask_bootstrap)
