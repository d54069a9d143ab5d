"""POST /v1/internal/acl/authorize: which of a list of permissions the caller holds, for user interfaces."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from pyconsul.agent.acl.authorizer import Authorizer
from pyconsul.agent.acl.rules import LEVELS, NAMED, SINGLE
from pyconsul.agent.httpapi.codec.decoding import decode_list
from pyconsul.agent.httpapi.core.authorization import enabled
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import Response, bad_request, json_response
from pyconsul.agent.httpapi.core.router import Read, Route
from pyconsul.agent.model.wire import camel

MOST = 64  # questions of one request
TOO_MANY = f"Refusing to process more than {MOST} authorizations at once"
PREFIX = "Failed to decode request body: "


class Question(msgspec.Struct, rename=camel):
    """A resource, such as `key`, an access, such as `write`, and a name."""

    go_name: ClassVar[str] = "structs.ACLAuthorizationRequest"
    resource: str = ""
    access: str = ""
    segment: str = ""


def authorize(context: Context, request: Request) -> Response:
    """Return each question with `Allow`."""
    enabled(context)
    questions = decode_list(request.body, Question, "[]structs.ACLAuthorizationRequest", PREFIX, (MOST, TOO_MANY))
    caller = request.caller
    return json_response([_answered(caller, one) for one in questions])


def _answered(caller: Authorizer, one: Question) -> dict[str, object]:
    # Permission to read a service includes its intentions; writing them is not supported.
    kind = "service" if one.resource == "intention" else one.resource
    if kind not in NAMED + SINGLE:
        raise bad_request(f'Invalid ACL resource requested: "{one.resource}"')
    if one.access not in LEVELS or one.access == "deny":
        raise bad_request(f"Invalid access level for {one.resource} resource: {one.access}")
    allow = caller.allows(kind, LEVELS[one.access], "" if kind in SINGLE else one.segment)
    return {"Resource": one.resource, "Access": one.access, "Segment": one.segment, "Allow": allow}


ROUTES = (Route("/v1/internal/acl/authorize", {"POST": Read(authorize, "self")}),)
