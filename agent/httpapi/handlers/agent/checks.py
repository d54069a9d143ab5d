"""/v1/agent/check and /v1/agent/checks: https://developer.hashicorp.com/consul/api-docs/agent/check"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from pyconsul.agent.acl.authorizer import Authorizer
from pyconsul.agent.health.decode import decode_check
from pyconsul.agent.health.definition import CheckDefinition, CheckError
from pyconsul.agent.health.recent_results import RecentResult
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
from pyconsul.agent.httpapi.handlers.agent.bodies import CheckUpdate
from pyconsul.agent.model.check import CRITICAL, PASSING, STATES, WARNING, HealthCheck
from pyconsul.agent.model.wire import camel
from pyconsul.agent.reads import local as reads
from pyconsul.agent.sync.local_agent import NotTTL


def list_checks(context: Context, request: Request) -> Response:
    """Return the agent's checks by ID."""
    select = filtering(request, HealthCheck)
    rows, filtered = reads.checks(context.agent.local, request.caller, context.config.node_name)
    return json_response({check.check_id: check for check in select(rows)}, filtered=filtered)


class ShownResult(msgspec.Struct, frozen=True, rename=camel):
    """One of the last results of a check."""

    time: str
    status: str
    output: str


def list_results(context: Context, request: Request) -> Response:
    """Return the last results of the agent's checks by ID, the oldest first (own addition)."""
    select = filtering(request, HealthCheck)
    rows, filtered = reads.checks(context.agent.local, request.caller, context.config.node_name)
    found = {
        check.check_id: [_shown(result) for result in context.agent.recent_results(check.check_id)]
        for check in select(rows)
    }
    return json_response(found, filtered=filtered)


def _shown(result: RecentResult) -> ShownResult:
    time = datetime.fromtimestamp(result.time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return ShownResult(time, result.status, result.output)


def _caller(context: Context, request: Request) -> Authorizer:
    """Return the caller of a change of a held check.  Raises UnknownToken, then HTTPError 404 for a check not held."""
    caller = request.caller
    if request.tail not in context.agent.local.checks:
        raise unknown_check(request.tail)
    return caller


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
    await context.agent.register_check(request.caller, definition, request.token)
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
    await context.agent.deregister_check(_caller(context, request), request.tail)
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
    try:
        await context.agent.report(_caller(context, request), request.tail, status, output)
    except NotTTL:
        raise server_error(f'CheckID "{request.tail}" does not have associated TTL') from None
    return EMPTY


def unknown_check(check_id: str) -> HTTPError:
    """Return the refusal of an ID that no check has."""
    return not_found(f'Unknown check ID "{check_id}". Ensure that the check ID is passed, not the check name.')


ROUTES = (
    Route("/v1/agent/checks", {"GET": Local(list_checks, "filter node")}),
    Route("/v1/agent/check/results", {"GET": Local(list_results, "filter node")}),
    Route("/v1/agent/check/register", {"PUT": Local(register, "handler node:write")}),
    Route("/v1/agent/check/deregister/", {"PUT": Local(deregister, "handler node:write")}),
    Route("/v1/agent/check/pass/", {"PUT": Local(report_passing, "handler node:write")}),
    Route("/v1/agent/check/warn/", {"PUT": Local(report_warning, "handler node:write")}),
    Route("/v1/agent/check/fail/", {"PUT": Local(report_critical, "handler node:write")}),
    Route("/v1/agent/check/update/", {"PUT": Local(update, "handler node:write")}),
)
