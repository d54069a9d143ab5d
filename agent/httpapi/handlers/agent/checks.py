"""/v1/agent/check and /v1/agent/checks: https://developer.hashicorp.com/consul/api-docs/agent/check"""

from __future__ import annotations

from pyconsul.agent.acl.authorizer import Authorizer
from pyconsul.agent.acl.rules import READ
from pyconsul.agent.health.decode import decode_check
from pyconsul.agent.health.definition import CheckDefinition, CheckError
from pyconsul.agent.health.validate import validate
from pyconsul.agent.httpapi.codec.decoding import PREFIX, decode, decode_any, refusal
from pyconsul.agent.httpapi.codec.go_values import DecodeError, json_kind
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.read_options import filtering
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import (
    EMPTY,
    HTTPError,
    Response,
    bad_request,
    json_response,
    not_found,
    server_error,
)
from pyconsul.agent.httpapi.core.router import Local, Route
from pyconsul.agent.httpapi.handlers.agent.access import require_check, require_check_id
from pyconsul.agent.httpapi.handlers.agent.bodies import CheckUpdate
from pyconsul.agent.model.check import CRITICAL, PASSING, STATES, WARNING, HealthCheck
from pyconsul.agent.reads.visibility import visible


def list_checks(context: Context, request: Request) -> Response:
    """Return the agent's checks by ID."""
    select = filtering(request, HealthCheck)
    caller = request.caller
    held = [row.check for _, row in sorted(context.agent.local.checks.items())]
    rows, filtered = visible(caller, held, lambda check: _level(context, caller, check) >= READ)
    return json_response({check.check_id: check for check in select(rows)}, filtered=filtered)


def _level(context: Context, caller: Authorizer, check: HealthCheck) -> int:
    """Return the caller's level for a check: of its service, or of the node when it has none."""
    if check.service_id:
        return caller.level("service", check.service_name)
    return caller.level("node", context.config.node_name)


def _require_held(context: Context, request: Request, check_id: str) -> None:
    """Raises HTTPError 404 unless the agent holds the check, and Forbidden unless the caller may write it."""
    caller = request.caller
    row = context.agent.local.checks.get(check_id)
    if row is None:
        raise unknown_check(check_id)
    require_check(context, caller, row.check.service_name if row.check.service_id else None)


async def register(context: Context, request: Request) -> Response:
    """Add or replace a check, of the node or of a service."""
    definition = _definition(request)
    config = context.config
    try:
        validate(definition, config.enable_script_checks, allow_control_characters=config.allow_control_characters)
    except CheckError as error:
        raise HTTPError(error.status, error.text) from None
    if definition.service_id and definition.service_id not in context.agent.local.services:
        raise not_found(f'ServiceID "{definition.service_id}" does not exist')
    owner, caller = context.agent.local.services.get(definition.service_id), request.caller
    require_check(context, caller, owner.service.service if owner else None)
    require_check_id(context, caller, definition.id or definition.name)
    await context.agent.register_check(definition, request.token)
    return EMPTY


def _definition(request: Request) -> CheckDefinition:
    value = decode_any(request.body)
    if value is None:
        value = {}
    if not isinstance(value, dict):
        what = json_kind(value)
        raise refusal(DecodeError(f"json: cannot unmarshal {what} into Go value of type structs.CheckDefinition"))
    try:
        return decode_check(value)
    except CheckError as error:
        raise bad_request(f"{PREFIX}{error.text}") from None


async def deregister(context: Context, request: Request) -> Response:
    """Remove a check."""
    check_id = request.tail
    _require_held(context, request, check_id)
    await context.agent.deregister_check(check_id)
    return EMPTY


async def report_passing(context: Context, request: Request) -> Response:
    return await _report(context, request, PASSING, request.params.get("note", ""))


async def report_warning(context: Context, request: Request) -> Response:
    return await _report(context, request, WARNING, request.params.get("note", ""))


async def report_critical(context: Context, request: Request) -> Response:
    return await _report(context, request, CRITICAL, request.params.get("note", ""))


async def update(context: Context, request: Request) -> Response:
    """Report a status and an output at once."""
    body = decode(request.body, CheckUpdate)
    if body.status not in STATES:
        raise bad_request(f"Invalid check status: '{body.status}'")
    return await _report(context, request, body.status, body.output)


async def _report(context: Context, request: Request, status: str, output: str) -> Response:
    agent, check_id = context.agent, request.tail
    _require_held(context, request, check_id)
    if not agent.is_ttl(check_id):
        raise server_error(f'CheckID "{check_id}" does not have associated TTL')
    await agent.report(check_id, status, output)
    return EMPTY


def unknown_check(check_id: str) -> HTTPError:
    """Return the refusal of an ID that no check has."""
    return not_found(f'Unknown check ID "{check_id}". Ensure that the check ID is passed, not the check name.')


ROUTES = (
    Route("/v1/agent/checks", {"GET": Local(list_checks, "filter node")}),
    Route("/v1/agent/check/register", {"PUT": Local(register, "handler node:write")}),
    Route("/v1/agent/check/deregister/", {"PUT": Local(deregister, "handler node:write")}),
    Route("/v1/agent/check/pass/", {"PUT": Local(report_passing, "handler node:write")}),
    Route("/v1/agent/check/warn/", {"PUT": Local(report_warning, "handler node:write")}),
    Route("/v1/agent/check/fail/", {"PUT": Local(report_critical, "handler node:write")}),
    Route("/v1/agent/check/update/", {"PUT": Local(update, "handler node:write")}),
)
