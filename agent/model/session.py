"""A session: what holds locks (https://developer.hashicorp.com/consul/api-docs/session)."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from pyconsul.agent.model.wire import camel


class ServiceCheck(msgspec.Struct, frozen=True, rename=camel, omit_defaults=True):
    """A service's check that a session depends on."""

    lenient: ClassVar[bool] = True  # for `httpapi.decode`
    id: str
    namespace: str = ""


class Session(msgspec.Struct, frozen=True, rename=camel):
    """One row of the sessions.  `lock_delay` is in nanoseconds; `ttl` is a duration such as `15s`, or empty."""

    id: str
    name: str
    node: str
    lock_delay: int
    behavior: str
    ttl: str
    node_checks: list[str] | None
    service_checks: list[ServiceCheck] | None
    create_index: int
    modify_index: int
