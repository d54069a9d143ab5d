"""GET /v1/pyconsul/caller: the caller's own token with all that it grants (`acl.identity.Identity`).

An agent that holds no state authorizes its local requests with it.
"""

from __future__ import annotations

from pyconsul.agent.httpapi.core.authorization import enabled
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import Query
from pyconsul.agent.httpapi.core.router import Read, Route
from pyconsul.agent.reads.contract import Result
from pyconsul.agent.state.acl.tables import TOPIC


def show(context: Context, request: Request) -> Query:
    """Return the caller's token and its policies."""
    acl = enabled(context)
    return Query(lambda: Result(acl.identity(request.token), context.view.index_of("acl"), (TOPIC,), cacheable=False))


ROUTES = (Route("/v1/pyconsul/caller", {"GET": Read(show, "self")}),)
