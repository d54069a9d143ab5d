"""/v1/acl/policy and /v1/acl/policies: https://developer.hashicorp.com/consul/api-docs/acl/policies"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from pyconsul.agent.acl.parse import RuleError, parse_rules, unknown_rules
from pyconsul.agent.acl.resolver import LONG_RULES
from pyconsul.agent.httpapi.codec.decoding import decode
from pyconsul.agent.httpapi.core.authorization import authorized, enabled, require
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.read_options import filtering
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import Query, Response, Result, json_response
from pyconsul.agent.httpapi.core.router import Read, Route, Write
from pyconsul.agent.httpapi.core.validation import refuse_control_characters
from pyconsul.agent.httpapi.handlers.acl import show
from pyconsul.agent.httpapi.handlers.acl.bodies import PolicyBody
from pyconsul.agent.httpapi.handlers.acl.resource import Resource
from pyconsul.agent.model.acl import Policy
from pyconsul.agent.reads import acl as reads
from pyconsul.agent.state.acl import policies as acl_policies
from pyconsul.agent.state.contract import Refused
from pyconsul.agent.state.write_txn import WriteTxn

log = logging.getLogger("agent.acl")
PREFIX = "Policy decoding failed: "


POLICY = Resource("policy", "Policy", reads.policy, lambda view, row: show.policy(row), acl_policies.delete)


def list_policies(context: Context, request: Request) -> Query:
    """Return the policies, without their rules."""
    enabled(context)

    def read() -> Result:
        result = reads.policies(context.view, request.caller)
        return result.shown_as(filtering(request, dict)([show.policy_stub(row) for row in result.value]))

    return Query(read)


async def create(context: Context, request: Request) -> Response:
    """Create a policy."""
    enabled(context)
    body = decode(request.body, PolicyBody, PREFIX)
    refuse_control_characters(context, body)
    return await _write(context, request, body, POLICY.new_key(body.id), True)


async def update(context: Context, request: Request) -> Response:
    """Change a policy."""
    policy_id = POLICY.key(context, request)
    body = decode(request.body, PolicyBody, PREFIX)
    refuse_control_characters(context, body)
    POLICY.check_key(body.id, policy_id)
    return await _write(context, request, body, policy_id, False)


async def _write(context: Context, request: Request, body: PolicyBody, policy_id: str, new: bool) -> Response:
    require(request, "acl:write")  # before rules are parsed, which may take long
    policy = Policy(
        id=policy_id,
        name=body.name,
        description=body.description,
        rules=body.rules,
        datacenters=tuple(body.datacenters),
    )

    long = len(policy.rules) >= LONG_RULES
    if long:
        with suppress(RuleError):
            await asyncio.to_thread(parse_rules, policy.rules)  # caches the result for the check below

    def write(txn: WriteTxn) -> Policy:
        acl_policies.check(txn, policy, new)
        try:
            parse_rules(policy.rules)
        except RuleError as error:
            raise Refused(str(error)) from None
        return acl_policies.put(txn, policy)

    written = await context.commit(authorized(request, "acl:write", write))
    for hint in await asyncio.to_thread(unknown_rules, written.rules) if long else unknown_rules(written.rules):
        log.warning('policy "%s", %s', written.name, hint)
    return json_response(show.policy(written))


ROUTES = (
    Route("/v1/acl/policies", {"GET": Read(list_policies, "handler acl:read")}, meta_on_error=True),
    Route("/v1/acl/policy", {"PUT": Write(create, "handler acl:write")}),
    Route(
        "/v1/acl/policy/name/",
        {"GET": Read(POLICY.show_named(reads.policy_named), "handler acl:read")},
        meta_on_error=True,
    ),
    Route(
        "/v1/acl/policy/",
        {
            "GET": Read(POLICY.show, "handler acl:read"),
            "PUT": Write(update, "handler acl:write"),
            "DELETE": Write(POLICY.delete, "handler acl:write"),
        },
        meta_on_error=True,
    ),
)
