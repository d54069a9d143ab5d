"""/v1/agent/members, join and force-leave: the members of this agent's gossip pools.

https://developer.hashicorp.com/consul/api-docs/agent.  Own addition: `members?explain` tells why each member has its status.

On a server without a WAN pool (`ports.serf_wan = -1`), `?wan` shows the servers of the LAN pool as they would be in it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from pyconsul.agent.acl.rules import READ
from pyconsul.agent.config.config import Config
from pyconsul.agent.gossip.consul.tags import server_of
from pyconsul.agent.gossip.membership import Explanation, Membership
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.read_options import filtering
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import EMPTY, Response, json_response, not_found, server_error
from pyconsul.agent.httpapi.core.router import Local, Route
from pyconsul.agent.model.member import Member, UnknownMember
from pyconsul.agent.model.wire import camel
from pyconsul.agent.reads.visibility import visible

ALL_SEGMENTS = "_all"
WARNING = b"X-Pyconsul-Warning"  # header of a join that succeeded, but not in full


class ExplainedMember(msgspec.Struct, frozen=True, rename=camel):
    """A member and why it has its status.  Times are in seconds, ago or from now; None: never."""

    member: Member
    reasons: Sequence[str]
    last_ack_seconds: float | None
    last_tcp_ack_seconds: float | None
    missed_probes: int
    accusers: Sequence[str]
    fails_in_seconds: float | None
    clock_offset_seconds: float | None


def wan_members(context: Context) -> list[Member]:
    """Return the servers of this datacenter as the other datacenters see them."""
    if context.wan is not None:
        return sorted(context.wan.members(), key=lambda member: member.name)
    servers = [member for member in context.lan.members() if server_of(member) is not None]
    return [_in_wan(context, member) for member in servers]


def _in_wan(context: Context, member: Member) -> Member:
    config = context.config
    tags = {name: value for name, value in member.tags.items() if name != "wan_join_port"}
    is_local = member.name == context.lan.local.name
    return msgspec.structs.replace(
        member,
        name=f"{member.name}.{config.datacenter}",
        address=config.advertise_addr_wan if is_local else member.address,
        port=max(0, config.ports.serf_wan if is_local else int(member.tags.get("wan_join_port", 0))),
        tags=tags,
    )


def list_members(context: Context, request: Request) -> Response:
    """Return the members that are known; `?wan` asks for the servers of all datacenters."""
    select = filtering(request, Member)
    if request.params.get("wan"):
        if not context.config.server:
            return json_response(None)
        found, suffix = wan_members(context), f".{context.config.datacenter}"
    else:
        _check_segment(context.config, request.params.get("segment", ""))
        found, suffix = sorted(context.lan.members(), key=lambda member: member.name), ""
    caller = request.caller
    rows, filtered = visible(
        caller, found, lambda member: caller.level("node", member.name.removesuffix(suffix)) >= READ
    )
    if "explain" in request.params and not suffix:
        hidden = {member.name for member in found} - {member.name for member in rows}
        return json_response(_explained(context, select(rows), request.params["explain"], hidden), filtered=filtered)
    return json_response(select(rows), filtered=filtered)


def _check_segment(config: Config, segment: str) -> None:
    if segment in ("", ALL_SEGMENTS):
        return
    if config.server:
        raise server_error("Network segments are not supported in this version of Consul")
    raise server_error(f'segment "{segment}" not found')


def _explained(
    context: Context, members: Sequence[Member], name: str, hidden: Collection[str]
) -> list[ExplainedMember]:
    """Return the explanations of members, or of the named one; `hidden`: names that the caller may not see.

    Raises HTTPError.
    """
    if not name:
        return [_output(context.lan.explain(member.name), hidden) for member in members]
    if all(member.name != name for member in members):
        raise not_found(f"No node found with name '{name}'")
    return [_output(context.lan.explain(name), hidden)]


def _output(explanation: Explanation, hidden: Collection[str]) -> ExplainedMember:
    return ExplainedMember(
        member=explanation.member,
        reasons=[reason for reason in explanation.reasons if not any(name in reason for name in hidden)],
        last_ack_seconds=_rounded(explanation.last_ack_s),
        last_tcp_ack_seconds=_rounded(explanation.last_tcp_ack_s),
        missed_probes=explanation.missed_probes,
        accusers=[name for name in explanation.accusers if name not in hidden],
        fails_in_seconds=_rounded(explanation.fails_in_s),
        clock_offset_seconds=_rounded(explanation.clock_offset_s),
    )


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


async def join(context: Context, request: Request) -> Response:
    """Join the pool of another agent.  A header warns if no UDP packets pass between the agents."""
    pool = _wan_pool(context) if request.params.get("wan") else context.lan
    result = await pool.join([request.tail])
    if not result.contacted:
        raise _join_error([failure.text for failure in result.failures])
    if not result.without_udp:
        return EMPTY
    text = f"UDP does not pass between this agent and {', '.join(result.without_udp)}: open its gossip port for UDP"
    return Response(EMPTY.status, EMPTY.body, (*EMPTY.headers, (WARNING, text.encode())))


def _wan_pool(context: Context) -> Membership:
    """Return the WAN pool; the servers of this datacenter are in it, those of others are refused.  Raises HTTPError."""
    if not context.config.server:
        raise server_error("Must be a server to join WAN cluster")
    if context.wan is None:
        raise _join_error(["this server has no WAN pool: ports.serf_wan, or ports.serf_lan, is -1"])
    return context.wan


def _join_error(texts: Sequence[str]) -> Exception:
    count = "1 error" if len(texts) == 1 else f"{len(texts)} errors"
    return server_error(f"{count} occurred:\n" + "".join(f"\t* {text}\n" for text in texts) + "\n")


def force_leave(context: Context, request: Request) -> Response:
    """Declare that a failed member left; with `?prune`, forget it."""
    name = request.tail
    if "wan" in request.params:
        known = _force_leave_wan(context, name, prune="prune" in request.params)
    else:
        known = _force_leave_lan(context, name, prune="prune" in request.params)
    if not known:
        raise server_error(f"agent: No node found with name '{name}'")
    return EMPTY


def _force_leave_wan(context: Context, name: str, *, prune: bool) -> bool:
    """Force a member out of the WAN pool; returns whether there is one."""
    if context.wan is None:
        return any(member.name == name for member in wan_members(context))
    try:
        context.wan.force_leave(name, prune=prune)
    except UnknownMember:
        return False
    return True


def _force_leave_lan(context: Context, name: str, *, prune: bool) -> bool:
    """Force a member out by its name, or by its name in the WAN pool; returns whether there is one."""
    for one in dict.fromkeys((name, name.removesuffix(f".{context.config.datacenter}"))):
        try:
            context.lan.force_leave(one, prune=prune)
        except UnknownMember:
            continue
        return True
    return False


ROUTES = (
    Route("/v1/agent/members", {"GET": Local(list_members, "filter node")}),
    Route("/v1/agent/join/", {"PUT": Local(join, "agent:write")}),
    Route("/v1/agent/force-leave/", {"PUT": Local(force_leave, "operator:write")}),
)
