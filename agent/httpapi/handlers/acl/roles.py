"""/v1/acl/role and /v1/acl/roles: https://developer.hashicorp.com/consul/api-docs/acl/roles"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from pyconsul.agent.httpapi.codec.decoding import decode
from pyconsul.agent.httpapi.core.authorization import authorized, enabled, require
from pyconsul.agent.httpapi.core.context import Context, new_id
from pyconsul.agent.httpapi.core.read_options import filtering
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import TRUE, Answer, Query, Result, bad_request, json_answer, not_found
from pyconsul.agent.httpapi.core.router import Read, Route, Write
from pyconsul.agent.httpapi.core.validation import refuse_control_characters
from pyconsul.agent.httpapi.handlers.acl import show
from pyconsul.agent.httpapi.handlers.acl.bodies import RoleBody
from pyconsul.agent.httpapi.handlers.acl.grants import grants
from pyconsul.agent.model.acl import Role
from pyconsul.agent.state.acl import policies as acl_policies
from pyconsul.agent.state.acl import roles as acl_roles
from pyconsul.agent.state.acl.tables import ROLES, TOPIC
from pyconsul.agent.state.write_txn import WriteTxn

PREFIX = "Role decoding failed: "
MISSING = "Requested role does not exist: ACL not found"


def list_roles(context: Context, request: Request) -> Query:
    """Return the roles; with `?policy` those that give it."""
    enabled(context)
    policy = request.params.get("policy", "")

    def read() -> Result:
        require(request, "acl:read")
        rows = [row for row in acl_roles.all_roles(context.view) if not policy or policy in row.grants.policies]
        shown = [show.role(context.view, row) for row in rows]
        return _result(context, filtering(request, dict)(shown) if "filter" in request else shown)

    return Query(read)


def _result(context: Context, value: object) -> Result:
    index = context.view.index_of(acl_roles.INDEX, acl_policies.INDEX)
    return Result(value, index, (TOPIC,), cacheable=False)


def read_named(context: Context, request: Request) -> Query:
    """Return a role by its name."""
    enabled(context)
    if not request.tail:
        raise bad_request("Missing role Name")
    return _read(context, request, lambda: acl_roles.by_name(context.view, request.tail))


def _read(context: Context, request: Request, find: Callable[[], Role | None]) -> Query:
    def read() -> Result:
        require(request, "acl:read")
        row = find()
        if row is None:
            raise not_found(MISSING)
        return _result(context, show.role(context.view, row))

    return Query(read)


def _id(context: Context, request: Request) -> str:
    """Return the ID in the path.  Raises HTTPError."""
    enabled(context)
    if not request.tail:
        raise bad_request("Missing role ID")
    return request.tail


def show_role(context: Context, request: Request) -> Query:
    """Return one role."""
    role_id = _id(context, request)
    return _read(context, request, lambda: context.view[ROLES].get(role_id))


async def delete(context: Context, request: Request) -> Answer:
    """Delete a role."""
    role_id = _id(context, request)
    if not await context.commit(authorized(request, "acl:write", lambda txn: acl_roles.delete(txn, role_id))):
        raise not_found("Cannot find role to delete")
    return TRUE


async def create(context: Context, request: Request) -> Answer:
    """Create a role."""
    enabled(context)
    body = decode(request.body, RoleBody, PREFIX)
    refuse_control_characters(context, body)
    if body.id:
        raise bad_request("Cannot specify the ID when creating a new role")
    return await _write(context, request, body, new_id(), True)


async def update(context: Context, request: Request) -> Answer:
    """Change a role."""
    role_id = _id(context, request)
    body = decode(request.body, RoleBody, PREFIX)
    refuse_control_characters(context, body)
    if body.id not in ("", role_id):
        raise bad_request("Role ID in URL and payload do not match")
    return await _write(context, request, body, role_id, False)


async def _write(context: Context, request: Request, body: RoleBody, role_id: str, new: bool) -> Answer:
    role = Role(id=role_id, name=body.name, description=body.description)

    def write(txn: WriteTxn) -> Role:
        acl_roles.check(txn, role, new)
        return acl_roles.put(txn, replace(role, grants=grants(txn, body, "role")))

    return json_answer(show.role(context.view, await context.commit(authorized(request, "acl:write", write))))


ROUTES = (
    Route("/v1/acl/roles", {"GET": Read(list_roles, "handler acl:read")}, meta_on_error=True),
    Route("/v1/acl/role", {"PUT": Write(create, "handler acl:write")}),
    Route("/v1/acl/role/name/", {"GET": Read(read_named, "handler acl:read")}, meta_on_error=True),
    Route(
        "/v1/acl/role/",
        {
            "GET": Read(show_role, "handler acl:read"),
            "PUT": Write(update, "handler acl:write"),
            "DELETE": Write(delete, "handler acl:write"),
        },
        meta_on_error=True,
    ),
)
