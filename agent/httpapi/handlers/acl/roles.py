"""/v1/acl/role and /v1/acl/roles: https://developer.hashicorp.com/consul/api-docs/acl/roles"""

from __future__ import annotations

from msgspec.structs import replace

from pyconsul.agent.httpapi.codec.decoding import decode
from pyconsul.agent.httpapi.core.authorization import authorized, enabled
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.read_options import filtering
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import Query, Response, Result, json_response
from pyconsul.agent.httpapi.core.router import Read, Route, Write
from pyconsul.agent.httpapi.core.validation import refuse_control_characters
from pyconsul.agent.httpapi.handlers.acl import show
from pyconsul.agent.httpapi.handlers.acl.bodies import RoleBody
from pyconsul.agent.httpapi.handlers.acl.grants import grants
from pyconsul.agent.httpapi.handlers.acl.resource import Resource
from pyconsul.agent.model.acl import Role
from pyconsul.agent.reads import acl as reads
from pyconsul.agent.state.acl import roles as acl_roles
from pyconsul.agent.state.write_txn import WriteTxn

PREFIX = "Role decoding failed: "


ROLE = Resource("role", "Role", reads.role, show.role, acl_roles.delete)


def list_roles(context: Context, request: Request) -> Query:
    """Return the roles; with `?policy` those that grant it."""
    enabled(context)
    policy = request.params.get("policy", "")

    def read() -> Result:
        result = reads.roles(context.view, request.caller, policy)
        return result.shown_as(filtering(request, dict)([show.role(context.view, row) for row in result.value]))

    return Query(read)


async def create(context: Context, request: Request) -> Response:
    """Create a role."""
    enabled(context)
    body = decode(request.body, RoleBody, PREFIX)
    refuse_control_characters(context, body)
    return await _write(context, request, body, ROLE.new_key(body.id), True)


async def update(context: Context, request: Request) -> Response:
    """Change a role."""
    role_id = ROLE.key(context, request)
    body = decode(request.body, RoleBody, PREFIX)
    refuse_control_characters(context, body)
    ROLE.check_key(body.id, role_id)
    return await _write(context, request, body, role_id, False)


async def _write(context: Context, request: Request, body: RoleBody, role_id: str, new: bool) -> Response:
    role = Role(id=role_id, name=body.name, description=body.description)

    def write(txn: WriteTxn) -> Role:
        acl_roles.check(txn, role, new)
        return acl_roles.put(txn, replace(role, grants=grants(txn, body, "role")))

    return json_response(show.role(context.view, await context.commit(authorized(request, "acl:write", write))))


ROUTES = (
    Route("/v1/acl/roles", {"GET": Read(list_roles, "handler acl:read")}, meta_on_error=True),
    Route("/v1/acl/role", {"PUT": Write(create, "handler acl:write")}),
    Route(
        "/v1/acl/role/name/", {"GET": Read(ROLE.show_named(reads.role_named), "handler acl:read")}, meta_on_error=True
    ),
    Route(
        "/v1/acl/role/",
        {
            "GET": Read(ROLE.show, "handler acl:read"),
            "PUT": Write(update, "handler acl:write"),
            "DELETE": Write(ROLE.delete, "handler acl:write"),
        },
        meta_on_error=True,
    ),
)
