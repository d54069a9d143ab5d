"""User events: encoding, filters, firing and the index of a list (https://developer.hashicorp.com/consul/api-docs/event)."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from pyconsul.agent.acl.authorizer import Authorizer, PermissionDenied
from pyconsul.agent.acl.rules import WRITE
from pyconsul.agent.common.uuids import is_uuid
from pyconsul.agent.filter.regexp import RegexpError, compile_regexp
from pyconsul.agent.gossip.membership import Membership
from pyconsul.agent.model.event import UserEvent
from pyconsul.agent.model.service import NodeService

VERSION = 1  # of an event's encoding
PREFIX = "consul:event:"  # of its name among agents

_encode = msgspec.msgpack.Encoder().encode


class EventError(ValueError):
    """An event that cannot be fired; the text is Consul's."""


def check(event: UserEvent) -> None:
    """Raise EventError when the filters of an event cannot be used."""
    if event.tag_filter and not event.service_filter:
        raise EventError("Cannot provide tag filter without service filter")
    for what, pattern in (("node", event.node_filter), ("service", event.service_filter), ("tag", event.tag_filter)):
        try:
            compile_regexp(pattern)
        except RegexpError as error:
            raise EventError(f"Invalid {what} filter: {error}") from None


def fire(lan: Membership, caller: Authorizer, event: UserEvent) -> None:
    """Send a checked event to all agents, this one included.  Raises PermissionDenied, EventTooLarge."""
    if not caller.allows("event", WRITE, event.name):
        raise PermissionDenied("Permission denied")  # Consul does not name the permission here
    lan.fire(PREFIX + event.name, packed(event))


def packed(event: UserEvent) -> bytes:
    """Return an event as agents send it to each other, as the payload of a gossip event named PREFIX + its name."""
    parts = {"nf": event.node_filter, "p": event.payload, "sf": event.service_filter, "tf": event.tag_filter}
    given = {key: value for key, value in parts.items() if value}
    return _encode({"ID": event.id, "n": event.name, **given, "v": event.version})


class _Packed(msgspec.Struct):
    """The fields of a packed event; those that are missing are empty."""

    ID: str = ""
    n: str = ""
    nf: str = ""
    p: bytes | None = None
    sf: str = ""
    tf: str = ""
    v: int = 0


_decode = msgspec.msgpack.Decoder(_Packed).decode


def unpacked(payload: bytes, ltime: int) -> UserEvent:
    """Return the event that an agent sent, with its Lamport time.  Raises ValueError."""
    try:
        event = _decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"invalid user event: {error}") from None
    if not is_uuid(event.ID):
        raise ValueError("invalid user event: its ID is no UUID")
    return UserEvent(event.ID, event.n, event.p, event.nf, event.sf, event.tf, event.v, ltime)


def concerns(event: UserEvent, node: str, services: Iterable[NodeService]) -> bool:
    """Return whether an event is for the agent of this name, which holds these services; filters see their IDs, as Consul's."""
    if event.node_filter and not compile_regexp(event.node_filter)(node):
        return False
    if not event.service_filter:
        return True
    matches, tagged = compile_regexp(event.service_filter), compile_regexp(event.tag_filter)
    return any(
        matches(service.id) and (not event.tag_filter or any(tagged(tag) for tag in service.tags))
        for service in services
    )


def index_of(events: list[UserEvent]) -> int:
    """The index of a list of events: it changes with the last one, but does not grow."""
    if not events:
        return 1
    digits = events[-1].id.replace("-", "")
    return int(digits[:16], 16) ^ int(digits[16:], 16)
