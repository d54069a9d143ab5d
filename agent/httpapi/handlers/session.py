"""/v1/session: https://developer.hashicorp.com/consul/api-docs/session"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import msgspec

from pyconsul.agent.acl.rules import WRITE
from pyconsul.agent.common.go.durations import SECOND_NS, format_go_duration_ns, parse_go_duration_ns
from pyconsul.agent.httpapi.codec.decoding import Convert, decode
from pyconsul.agent.httpapi.codec.go_values import ABSENT, nanoseconds
from pyconsul.agent.httpapi.core.authorization import authorized
from pyconsul.agent.httpapi.core.context import Context, new_id
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import (
    TRUE,
    Query,
    Response,
    bad_request,
    json_response,
    not_found,
    server_error,
)
from pyconsul.agent.httpapi.core.router import Read, Route, Write
from pyconsul.agent.httpapi.core.validation import refuse_control_characters
from pyconsul.agent.model.check import SERF_CHECK
from pyconsul.agent.model.session import ServiceCheck, Session
from pyconsul.agent.model.wire import camel
from pyconsul.agent.reads import sessions as reads
from pyconsul.agent.state import sessions
from pyconsul.agent.state.contract import Refused
from pyconsul.agent.state.schemas import SESSIONS
from pyconsul.agent.state.write_txn import WriteTxn

LOCK_DELAY = 15 * SECOND_NS
SECONDS_BELOW = 1000  # a number below this is meant in seconds, not nanoseconds
MIN_TTL = 10 * SECOND_NS  # unless session_ttl_min says otherwise
MAX_TTL = 24 * 3600 * SECOND_NS


def lock_delay(value: Any) -> Any:
    """Return the nanoseconds of a lock-delay: a duration, a number of nanoseconds, or a small one of seconds."""
    if value is None:
        return ABSENT
    if isinstance(value, int | float) and not isinstance(value, bool) and value < SECONDS_BELOW:
        value *= SECOND_NS
    delay = nanoseconds(value)
    if delay is ABSENT:
        raise ValueError("json: LockDelay must be a duration or a number")
    return delay


class SessionInput(msgspec.Struct, kw_only=True, rename=camel):
    """The body of a session's creation; Consul passes over keys it does not know."""

    go_name: ClassVar[str] = "structs.Session"
    go_embedded: ClassVar[str] = "Alias"
    lenient: ClassVar[bool] = True
    name: str = ""
    node: str = ""
    lock_delay: Annotated[int, Convert(lock_delay)] = LOCK_DELAY
    behavior: str = ""
    ttl: str = ""
    checks: list[str] | msgspec.UnsetType | None = msgspec.UNSET  # the old name of NodeChecks
    node_checks: list[str] | msgspec.UnsetType | None = msgspec.UNSET
    service_checks: list[ServiceCheck] | None = None

    def named_node_checks(self) -> list[str] | None:
        """Return the checks of the node that the session depends on: the node's health unless the body says otherwise."""
        if isinstance(self.node_checks, msgspec.UnsetType):
            return [SERF_CHECK] if isinstance(self.checks, msgspec.UnsetType) else self.checks or []
        return self.node_checks


async def create(context: Context, request: Request) -> Response:
    """Create a session and return its ID."""
    given = decode(request.body, SessionInput) if request.body else SessionInput()
    refuse_control_characters(context, given)
    if given.behavior not in ("", sessions.RELEASE, sessions.DELETE):
        raise server_error(f"Invalid Behavior setting '{given.behavior}'")
    ttl = _ttl(context, given.ttl)
    session = Session(
        id=new_id(),
        name=given.name,
        node=given.node or context.agent_of(request),
        lock_delay=given.lock_delay,
        behavior=given.behavior or sessions.RELEASE,
        ttl=given.ttl,
        node_checks=given.named_node_checks(),
        service_checks=given.service_checks,
        create_index=0,
        modify_index=0,
    )
    write = authorized(request, "session:write", lambda txn: sessions.create(txn, session), session.node)
    try:
        await context.commit(write)
    except Refused as error:
        raise server_error(f"apply failed: {error}") from None
    context.session_clock.renew(session.id, ttl / SECOND_NS)
    return json_response({"ID": session.id})


def _ttl(context: Context, text: str) -> int:
    """Return the nanoseconds of a TTL that is within its bounds; 0 for none."""
    if not text:
        return 0
    try:
        ttl = parse_go_duration_ns(text, go_error=True)
    except ValueError as error:
        raise server_error(f"Session TTL '{text}' invalid: {error}") from None
    shortest = int(context.config.session_ttl_min * SECOND_NS) or MIN_TTL
    if ttl != 0 and not shortest <= ttl <= MAX_TTL:
        bounds = f"[{format_go_duration_ns(shortest)}={format_go_duration_ns(MAX_TTL)}]"
        raise server_error(f"Invalid Session TTL '{ttl}', must be between {bounds}")
    return ttl


async def destroy(context: Context, request: Request) -> Response:
    """Destroy a session; nothing happens when it does not exist."""
    session_id = _session_id(request)
    caller = request.caller

    def end(txn: WriteTxn) -> None:
        session = txn[SESSIONS].get(session_id)
        if session is not None:
            caller.require("session", WRITE, session.node)
            sessions.destroy(txn, session_id)

    await context.commit(end)
    return TRUE


def renew(context: Context, request: Request) -> Response:
    """Renew a session for its TTL."""
    session = reads.writable(context.view, request.caller, _session_id(request))
    if session is None:
        raise not_found(f"Session id '{request.tail}' not found")
    if session.ttl:
        context.session_clock.renew(session.id, parse_go_duration_ns(session.ttl) / SECOND_NS)
    return json_response([session])


def info(context: Context, request: Request) -> Query:
    """Return one session, in a list."""
    session_id = _session_id(request)
    return Query(lambda: reads.one(context.view, request.caller, session_id))


def list_of_node(context: Context, request: Request) -> Query:
    """Return the sessions of a node."""
    if not request.tail:
        raise bad_request("Missing node name")
    return Query(lambda: reads.of_node(context.view, request.caller, request.tail))


def list_all(context: Context, request: Request) -> Query:
    """Return all sessions."""
    return Query(lambda: reads.every(context.view, request.caller))


def _session_id(request: Request) -> str:
    if not request.tail:
        raise bad_request("Missing session")
    return request.tail


ROUTES = (
    Route("/v1/session/create", {"PUT": Write(create, "handler session:write")}),
    Route("/v1/session/destroy/", {"PUT": Write(destroy, "handler session:write")}),
    Route("/v1/session/renew/", {"PUT": Write(renew, "handler session:write")}),
    Route("/v1/session/info/", {"GET": Read(info, "filter session")}, meta_on_error=True, watched=True),
    Route("/v1/session/node/", {"GET": Read(list_of_node, "filter session")}, meta_on_error=True, watched=True),
    Route("/v1/session/list", {"GET": Read(list_all, "filter session")}, meta_on_error=True, watched=True),
)
