"""/v1/pyconsul/registrations: the rows of an agent in the catalog, as its anti-entropy reads and writes them.

GET /v1/pyconsul/registrations/NODE   the node with its services and checks, as far as the caller may see them (`sync.NodeRows`)
PUT /v1/pyconsul/registrations        a batch of changes (`sync.Batch`); the response names the rows that the token does not permit
"""

from __future__ import annotations

import msgspec

from pyconsul.agent.acl.authorizer import Authorizer
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import HTTPError, Query, Response, bad_request, json_response
from pyconsul.agent.httpapi.core.router import Read, Route, Write
from pyconsul.agent.httpapi.core.validation import refuse_control_characters
from pyconsul.agent.httpapi.server.contract import BodyRule
from pyconsul.agent.model.check import STATES
from pyconsul.agent.reads import catalog as reads
from pyconsul.agent.sync.anti_entropy.batch import Batch, NodeMissing, Outcome, write
from pyconsul.agent.sync.definition import weights_fault

MAX_BYTES = 16 << 20  # of a batch; one row is at most as large as a registration


def show(context: Context, request: Request) -> Query:
    """Return the rows of a node."""
    if not request.tail:
        raise bad_request("Missing node name")
    return Query(lambda: reads.registrations(context.view, request.caller, request.tail))


async def register(context: Context, request: Request) -> Response:
    """Write a batch of changes."""
    try:
        batch = msgspec.json.decode(request.body, type=Batch)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise bad_request(f"Request decode failed: {error}") from None
    refuse_control_characters(context, batch)
    _refuse_malformed(batch, context.config.datacenter)
    caller: Authorizer = request.caller
    try:
        outcome: Outcome = await context.commit(lambda txn: write(txn, caller, batch))
    except NodeMissing as error:
        raise HTTPError(503, str(error)) from None
    return json_response(outcome, 403 if outcome.wrote_nothing else 200)


def _refuse_malformed(batch: Batch, datacenter: str) -> None:
    """Raises HTTPError 400 for rows that no agent sends."""
    node = batch.node
    if not node.node or not node.address:
        raise bad_request("the node needs a name and an address")
    if node.datacenter != datacenter:
        raise bad_request(f'the node is of datacenter "{node.datacenter}", this is "{datacenter}"')
    services = [*batch.services, *(one.owner for one in batch.checks if one.owner is not None)]
    for service in services:
        if not service.id or not service.service:
            raise bad_request("every service needs an ID and a name")
        if fault := weights_fault(service.weights):
            raise bad_request(f"service {service.id}: {fault}")
    for one in batch.checks:
        if not one.check.check_id or one.check.status not in STATES:
            raise bad_request("every check needs an ID, and one of the statuses " + ", ".join(STATES))
        if one.check.node.lower() != node.node.lower():
            raise bad_request(f'check node "{one.check.node}" does not match node "{node.node}"')


ROUTES = (
    Route("/v1/pyconsul/registrations/", {"GET": Read(show, "handler node:read")}),
    Route(
        "/v1/pyconsul/registrations",
        {"PUT": Write(register, "handler node:write")},
        body_rule=lambda context, request: BodyRule(MAX_BYTES),
    ),
)
