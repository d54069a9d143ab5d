"""/v1/pyconsul/recovery: what is left of a cluster that has lost most of its servers, and going on with one of them.

The agent answers it itself, without the state, so that its `agent_recovery` token is enough.
"""

from __future__ import annotations

from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import EMPTY, Response, bad_request, json_response, server_error
from pyconsul.agent.httpapi.core.router import Local, Route

NO_SERVER = "this agent is not a server: ask a server of the cluster (-http-addr)"


async def survivors(context: Context, request: Request) -> Response:
    """Return the last commit that each server still has."""
    if context.cluster is None:
        raise server_error(NO_SERVER)
    try:
        return json_response(await context.cluster.survivors())
    except EngineError as error:
        raise server_error(str(error)) from None


async def recover(context: Context, request: Request) -> Response:
    """Go on with the data of the server `?id`."""
    node_id = request.params.get("id", "")
    if not node_id:
        raise bad_request("Must specify ?id with the ID of the server whose data are used")
    if context.cluster is None:
        raise server_error(NO_SERVER)
    try:
        await context.cluster.recover(node_id)
    except EngineError as error:
        raise server_error(str(error)) from None
    return EMPTY


ROUTES = (
    Route(
        "/v1/pyconsul/recovery",
        {"GET": Local(survivors, "agent:write"), "PUT": Local(recover, "agent:write")},
    ),
)
