"""/v1/event: https://developer.hashicorp.com/consul/api-docs/event"""

from __future__ import annotations

from msgspec.structs import replace

from pyconsul.agent.events import event_log, user_event
from pyconsul.agent.gossip.serf.events import EventTooLarge
from pyconsul.agent.httpapi.core.authorization import resolved_later
from pyconsul.agent.httpapi.core.blocking import changed, deadline
from pyconsul.agent.httpapi.core.context import Context, new_id
from pyconsul.agent.httpapi.core.request import Request, wait_options
from pyconsul.agent.httpapi.core.response import (
    FILTERED,
    JSON,
    Response,
    bad_request,
    encode,
    json_response,
    server_error,
)
from pyconsul.agent.httpapi.core.router import Local, Read, Route
from pyconsul.agent.httpapi.core.validation import refuse_control_characters
from pyconsul.agent.model.event import UserEvent
from pyconsul.agent.reads import events as reads


def fire(context: Context, request: Request) -> Response:
    """Fire an event; the body is its payload."""
    if not request.tail:
        raise bad_request("Missing name")
    params = request.params
    event = UserEvent(
        id=new_id(),
        name=request.tail,
        payload=request.body or None,
        node_filter=params.get("node", ""),
        service_filter=params.get("service", ""),
        tag_filter=params.get("tag", ""),
        version=user_event.VERSION,
        ltime=0,
    )
    refuse_control_characters(context, replace(event, payload=None), "event")
    try:
        user_event.check(event)
    except user_event.EventError as error:
        raise server_error(str(error)) from None
    try:
        user_event.fire(context.lan, request.caller, event)
    except EventTooLarge as error:
        raise server_error(str(error)) from None
    return json_response(event)


async def list_events(context: Context, request: Request) -> Response:
    """Return the last events; with `?index` wait for another one."""
    name = request.params.get("name", "")
    known, _ = wait_options(request)
    events = context.events
    if known and known == events.index(name):
        until = deadline(context, request)
        while known == events.index(name) and await changed(events.watches, event_log.TOPIC, until):
            pass
    result = reads.recent(events, await resolved_later(context, request), name)
    headers = (*JSON, *FILTERED) if result.filtered else JSON
    return Response(200, encode(result.value), (*headers, (b"X-Consul-Index", b"%d" % result.index)))


ROUTES = (
    Route("/v1/event/fire/", {"PUT": Read(fire, "handler event:write")}, stateless=True),
    Route("/v1/event/list", {"GET": Local(list_events, "filter event")}),
)
