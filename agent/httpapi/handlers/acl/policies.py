"""/v1/acl/policy and /v1/acl/policies: https://developer.hashicorp.com/consul/api-docs/acl/policies"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from pyconsul.agent.acl.parse import RuleError, parse_rules, unknown_rules
from pyconsul.agent.acl.resolver import LONG_RULES
from pyconsul.agent.httpapi.codec.decoding import decode
from pyconsul.agent.httpapi.core.authorization import authorized, enabled, require
from pyconsul.agent.httpapi.core.context import Context, new_id
from pyconsul.agent.httpapi.core.read_options import filtering
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import TRUE, Answer, Query, Result, bad_request, json_answer, not_found
from pyconsul.agent.httpapi.core.router import Read, Route, Write
from pyconsul.agent.httpapi.core.validation import refuse_control_characters
from pyconsul.agent.httpapi.handlers.acl import show
from pyconsul.agent.httpapi.handlers.acl.bodies import PolicyBody
from pyconsul.agent.model.acl import Policy
from pyconsul.agent.state.acl import policies as acl_policies
from pyconsul.agent.state.acl.tables import POLICIES, TOPIC
from pyconsul.agent.state.contract import Refused
from pyconsul.agent.state.write_txn import WriteTxn

log = logging.getLogger("agent.acl")
PREFIX = "Policy decoding failed: "
MISSING = "Requested policy does not exist: ACL not found"


def list_policies(context: Context, request: Request) -> Query:
    """Return the policies, without their rules."""
    enabled(context)

    def read() -> Result:
        require(request, "acl:read")
        shown = [show.policy_stub(row) for row in acl_policies.all_policies(context.view)]
        return _result(context, filtering(request, dict)(shown) if "filter" in request else shown)

    return Query(read)


def _result(context: Context, value: object) -> Result:
    return Result(value, context.view.index_of(acl_policies.INDEX), (TOPIC,), cacheable=False)


def read_named(context: Context, request: Request) -> Query:
    """Return a policy by its name."""
    enabled(context)
    if not request.tail:
        raise bad_request("Missing policy Name")
    return _read(context, request, lambda: acl_policies.by_name(context.view, request.tail))


def _read(context: Context, request: Request, find: Callable[[], Policy | None]) -> Query:
    def read() -> Result:
        require(request, "acl:read")
        row = find()
        if row is None:
            raise not_found(MISSING)
        return _result(context, show.policy(row))

    return Query(read)


def _id(context: Context, request: Request) -> str:
    """Return the ID in the path.  Raises HTTPError."""
    enabled(context)
    if not request.tail:
        raise bad_request("Missing policy ID")
    return request.tail


def show_policy(context: Context, request: Request) -> Query:
    """Return one policy."""
    policy_id = _id(context, request)
    return _read(context, request, lambda: context.view[POLICIES].get(policy_id))


async def delete(context: Context, request: Request) -> Answer:
    """Delete a policy."""
    policy_id = _id(context, request)
    if not await context.commit(authorized(request, "acl:write", lambda txn: acl_policies.delete(txn, policy_id))):
        raise not_found("Cannot find policy to delete")
    return TRUE


async def create(context: Context, request: Request) -> Answer:
    """Create a policy."""
    enabled(context)
    body = decode(request.body, PolicyBody, PREFIX)
    refuse_control_characters(context, body)
    if body.id:
        raise bad_request("Cannot specify the ID when creating a new policy")
    return await _write(context, request, body, new_id(), True)


async def update(context: Context, request: Request) -> Answer:
    """Change a policy."""
    policy_id = _id(context, request)
    body = decode(request.body, PolicyBody, PREFIX)
    refuse_control_characters(context, body)
    if body.id not in ("", policy_id):
        raise bad_request("Policy ID in URL and payload do not match")
    return await _write(context, request, body, policy_id, False)


async def _write(context: Context, request: Request, body: PolicyBody, policy_id: str, new: bool) -> Answer:
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
            await asyncio.to_thread(parse_rules, policy.rules)  # what is read there is known below

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
    return json_answer(show.policy(written))


ROUTES = (
    Route("/v1/acl/policies", {"GET": Read(list_policies, "handler acl:read")}, meta_on_error=True),
    Route("/v1/acl/policy", {"PUT": Write(create, "handler acl:write")}),
    Route("/v1/acl/policy/name/", {"GET": Read(read_named, "handler acl:read")}, meta_on_error=True),
    Route(
        "/v1/acl/policy/",
        {
            "GET": Read(show_policy, "handler acl:read"),
            "PUT": Write(update, "handler acl:write"),
            "DELETE": Write(delete, "handler acl:write"),
        },
        meta_on_error=True,
    ),
)
