"""The constants of a Serf pool, with Consul's values as defaults. All times are seconds.

Sources: Serf's configuration as Consul sets it (PROTOCOL, sections 8 and 10).
"""

from __future__ import annotations

import math

import msgspec

HOUR_S = 3600.0
#: Slots of the buffers of recent user events and queries; part of the wire format (a slot is found by Lamport time modulo this).
BUFFER_SLOTS = 512
#: Bytes of name and payload beyond which no configuration lets a user event or query pass.
HARD_SIZE_LIMIT = 9 * 1024
#: The prefix of the names of queries that are never delivered to users.
INTERNAL_QUERY = "_serf_"
QUERY_TIMEOUT_MULT = 16  # gossip intervals, for each power of ten of the number of members
MIN_QUEUE_DEPTH = 4096


class SerfSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of one pool."""

    node_name: str
    reconnect_timeout_s: float = 72 * HOUR_S  # a failed member is erased after this time
    tombstone_timeout_s: float = 24 * HOUR_S  # a member that left is erased after this time
    reconnect_timeout_tag: str = "rc_tm"  # a Go duration in this tag replaces both for its member; "" = not looked at
    reap_interval_s: float = 15.0
    reconnect_interval_s: float = 30.0
    recent_intent_timeout_s: float = 300.0  # how long an intent about an unknown member is remembered
    broadcast_timeout_s: float = 5.0  # longest wait until a leave intent has been sent
    leave_propagate_delay_s: float = 3.0  # an agent that left goes on answering probes for this time
    gossip_interval_s: float = 0.2
    user_event_size_limit: int = 512  # bytes: name and payload, and the encoded message
    query_size_limit: int = 1024  # bytes, encoded
    query_response_size_limit: int = 1024  # bytes, encoded
    max_relays: int = 5  # members that one query may use as relays for each answer
    resolve_name_conflicts: bool = False  # Consul leaves a conflict to the merge checks
    ignore_old_events_on_join: bool = True


def query_timeout_s(gossip_interval_s: float, members: int) -> float:
    """Return the default time that a query stays open: 16 gossip intervals × ceil(log10(members + 1))."""
    return gossip_interval_s * QUERY_TIMEOUT_MULT * math.ceil(math.log10(members + 1))


def max_queue_depth(members: int) -> int:
    """Return the length to which a broadcast queue is cut, those sent most often first."""
    return max(MIN_QUEUE_DEPTH, 2 * members)
