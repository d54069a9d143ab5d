"""The options of de-duplication."""

from __future__ import annotations

from typing import Any

from pyconsul.agent.common.options import Kind, Option
from pyconsul.tools.options.settings import BOOL, DURATION


def _prefix(value: Any) -> str:
    """Return a prefix with a slash at its end, and none at its beginning."""
    folder = str(value).strip("/")
    if not folder or not isinstance(value, str):
        raise ValueError(f"invalid prefix {value!r}: use a folder of keys, such as consul-template/dedup/")
    return folder + "/"


def _ttl(value: Any) -> float:
    seconds: float = DURATION.convert(value)
    if not 10 <= seconds <= 86400:
        raise ValueError(f"invalid time to live {value!r}: Consul allows 10s to 24h")
    return seconds


PREFIX = Kind("string", _prefix)
TTL = Kind("duration", _ttl)

DEDUPLICATE_ENABLED = Option(
    "deduplicate.enabled",
    BOOL,
    "Let one instance of those with the same template query Consul and share the results through a KV key, readable "
    "by everyone who can read that key. Not with -once",
    False,
    flags=("dedup",),
)
DEDUPLICATE_PREFIX = Option("deduplicate.prefix", PREFIX, "Folder of these keys", "consul-template/dedup/")
DEDUPLICATE_TTL = Option(
    "deduplicate.ttl",
    TTL,
    "Time without a heartbeat after which another instance replaces the leader; a leader writes three heartbeats in "
    "that time",
    15.0,
)
DEDUP_OPTIONS: tuple[Option[Any], ...] = (
    DEDUPLICATE_ENABLED,
    DEDUPLICATE_PREFIX,
    DEDUPLICATE_TTL,
    Option("deduplicate.max_stale", DURATION, "Accepted; see max_stale", None),
    Option("deduplicate.block_query_wait", DURATION, "Accepted; see block_query_wait", None),
)
