"""GET /v1/acl/explain: why a token may or may not do something.

`?permission=key:write&resource=app/x`, of the caller's own token or, with `?accessor=` and acl:read, of another one.  The
answer names the rule that decided with its policy and line, the rules that applied besides, and the smallest rule that
would allow what is refused.
"""

from __future__ import annotations

from typing import Any

from pyconsul.agent.acl.authorizer import Authorizer, UnknownToken
from pyconsul.agent.acl.explain import Decision, explain
from pyconsul.agent.acl.rules import NAMES, SINGLE, Rule, parse_permission
from pyconsul.agent.httpapi.core.authorization import enabled, require
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import Response, bad_request, json_response
from pyconsul.agent.httpapi.core.router import Read, Route
from pyconsul.agent.state.acl import tokens as acl_tokens


def explain_decision(context: Context, request: Request) -> Response:
    """Explain one decision."""
    enabled(context)
    caller = _whose(context, request)
    permission = request.params.get("permission", "")
    if not permission:
        raise bad_request("Missing permission; it is given as ?permission=key:write&resource=app/x")
    try:
        kind, wanted = parse_permission(permission)
    except ValueError as error:
        raise bad_request(f"Invalid permission: {error}") from None
    name = request.params.get("resource", "")
    if kind not in SINGLE and "resource" not in request:
        raise bad_request(f"Missing resource; {permission} is asked for a name, as ?resource=NAME")
    return json_response(_shown(caller, explain(caller, kind, wanted, name)))


def _whose(context: Context, request: Request) -> Authorizer:
    acl = enabled(context)
    accessor = request.params.get("accessor", "")
    if not accessor:
        return request.caller
    require(request, "acl:read")
    token = acl_tokens.by_accessor(context.view, accessor, acl.clock())
    if token is None:
        raise UnknownToken("token does not exist: ACL not found")
    return acl.of_token(token)


def _shown(caller: Authorizer, decision: Decision) -> dict[str, Any]:
    return {
        "AccessorID": caller.accessor,
        "Permission": f"{decision.kind}:{NAMES[decision.wanted]}",
        "Resource": decision.name,
        "Allowed": decision.allowed,
        "Rule": _rule(decision.rule),
        "OtherRules": [_rule(rule) for rule in decision.others],
        "DefaultPolicy": "allow" if decision.default_allow else "deny",
        "Needed": decision.needed,
        "Obstacle": _rule(decision.obstacle),
        "Explanation": decision.words(),
    }


def _rule(rule: Rule | None) -> dict[str, Any] | None:
    if rule is None:
        return None
    return {"Policy": rule.policy, "Line": rule.line, "Rule": str(rule)}


ROUTES = (Route("/v1/acl/explain", {"GET": Read(explain_decision, "self")}),)
