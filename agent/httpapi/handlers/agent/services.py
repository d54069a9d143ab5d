"""/v1/agent/service and /v1/agent/services: https://developer.hashicorp.com/consul/api-docs/agent/service"""

from __future__ import annotations

import hashlib
import logging

import msgspec

from pyconsul.agent.acl.authorizer import Authorizer
from pyconsul.agent.health.definition import CheckError
from pyconsul.agent.httpapi.codec.decoding import decode, refusal
from pyconsul.agent.httpapi.codec.file_form import from_file_form
from pyconsul.agent.httpapi.codec.go_values import DecodeError
from pyconsul.agent.httpapi.core.authorization import resolved_later
from pyconsul.agent.httpapi.core.blocking import changed, deadline
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.read_options import filtering
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import (
    EMPTY,
    JSON,
    HTTPError,
    Response,
    bad_request,
    encode,
    json_response,
    not_found,
)
from pyconsul.agent.httpapi.core.router import Local, Route
from pyconsul.agent.httpapi.core.validation import refuse_control_characters
from pyconsul.agent.httpapi.handlers.agent.bodies import ServiceBody, service_definition
from pyconsul.agent.model.service import Locality, NodeService, ServiceAddress, Weights
from pyconsul.agent.model.wire import camel
from pyconsul.agent.reads import local as reads
from pyconsul.agent.sync.definition import DefinitionError, ServiceDefinition, validate
from pyconsul.agent.sync.local_state import of_service

log = logging.getLogger("agent.http")


class AgentService(msgspec.Struct, frozen=True, rename=camel, omit_defaults=True):
    """A service as its own agent shows it."""

    id: str
    service: str
    tags: list[str]
    meta: dict[str, str]
    port: int
    address: str
    weights: Weights
    enable_tag_override: bool
    datacenter: str
    tagged_addresses: dict[str, ServiceAddress] | None = None
    socket_path: str = ""
    content_hash: str = ""
    locality: Locality | None = None
    kind: str = ""  # of the mesh; filters may ask for it


def agent_service(service: NodeService, datacenter: str) -> AgentService:
    """Return a service as the agent shows it, without its hash."""
    return AgentService(
        id=service.id,
        service=service.service,
        tags=service.tags,
        meta=service.meta or {},
        port=service.port,
        address=service.address,
        weights=service.weights,
        enable_tag_override=service.enable_tag_override,
        datacenter=datacenter,
        tagged_addresses=service.tagged_addresses,
        socket_path=service.socket_path,
        locality=service.locality,
    )


def list_services(context: Context, request: Request) -> Response:
    """Return the agent's services by ID."""
    select = filtering(request, AgentService)
    rows, filtered = reads.services(context.agent.local, request.caller)
    shown = select([agent_service(row, context.config.datacenter) for row in rows])
    return json_response({one.id: one for one in shown}, filtered=filtered)


async def show_service(context: Context, request: Request) -> Response:
    """One service and the hash of what it says; with `?hash` the answer waits until the hash is another one."""
    service_id = request.tail
    known = request.params.get("hash", "")
    until = deadline(context, request)
    body, content_hash = _hashed(context, request, request.caller)
    watches = context.agent.local.watches
    waits = bool(known)
    while waits and known == content_hash:
        waits = await changed(watches, of_service(service_id), until)
        caller = await resolved_later(context, request)  # the permissions of now, also when the time is up
        body, content_hash = _hashed(context, request, caller)
    return Response(200, body, (*JSON, (b"X-Consul-ContentHash", content_hash.encode())))


def _hashed(context: Context, request: Request, caller: Authorizer) -> tuple[bytes, str]:
    """Return a service as the caller may see it, and its hash.  Raises Forbidden, HTTPError 404."""
    service = reads.service(context.agent.local, caller, request.tail)
    if service is None:
        raise not_found(f"unknown service ID: {request.tail}")
    shown = agent_service(service, context.config.datacenter)
    content_hash = hashlib.blake2b(encode(shown), digest_size=8).hexdigest()
    return encode(msgspec.structs.replace(shown, content_hash=content_hash)), content_hash


async def register(context: Context, request: Request) -> Response:
    """Add or replace a service and its checks."""
    definition = from_file_form(request.body) or _plain(context, request)
    config = context.config
    try:
        validate(definition, config.enable_script_checks, allow_control_characters=config.allow_control_characters)
    except DefinitionError as error:
        raise bad_request(str(error)) from None
    except CheckError as error:
        raise HTTPError(error.status, error.text) from None
    replace_checks = request.params.get("replace-existing-checks") in ("", "true")
    await context.agent.register_service(request.caller, definition, replace_checks=replace_checks)
    log.debug("registered service: id=%r name=%r", definition.service.id, definition.service.service)
    return EMPTY


def _plain(context: Context, request: Request) -> ServiceDefinition:
    body = decode(request.body, ServiceBody)
    refuse_control_characters(context, body.proxy, "Service.Proxy")
    refuse_control_characters(context, body.connect, "Service.Connect")
    try:
        return service_definition(body, request.token)
    except DecodeError as error:
        raise refusal(error) from None


async def deregister(context: Context, request: Request) -> Response:
    """Remove a service and its checks."""
    service_id = request.tail
    await context.agent.deregister_service(caller_for(context, request, service_id), service_id)
    return EMPTY


def caller_for(context: Context, request: Request, service_id: str) -> Authorizer:
    """Return the caller of a change of a held service.  Raises UnknownToken, then HTTPError 404 for a service not held."""
    caller = request.caller
    if service_id not in context.agent.local.services:
        raise unknown_service(service_id)
    return caller


def unknown_service(service_id: str) -> HTTPError:
    """Return the refusal of an ID that no service has."""
    return not_found(f'Unknown service ID "{service_id}". Ensure that the service ID is passed, not the service name.')


ROUTES = (
    Route("/v1/agent/services", {"GET": Local(list_services, "filter service")}),
    Route("/v1/agent/service/", {"GET": Local(show_service, "handler service:read")}),
    Route("/v1/agent/service/register", {"PUT": Local(register, "handler service:write")}),
    Route("/v1/agent/service/deregister/", {"PUT": Local(deregister, "handler service:write")}),
)
