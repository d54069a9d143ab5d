"""A user event (https://developer.hashicorp.com/consul/api-docs/event)."""

from __future__ import annotations

import msgspec

from pyconsul.agent.model.wire import camel


class UserEvent(msgspec.Struct, frozen=True, rename=camel):
    """One fired event; the filters are regular expressions, `payload` is base64 on the wire."""

    id: str
    name: str
    payload: bytes | None
    node_filter: str
    service_filter: str
    tag_filter: str
    version: int
    ltime: int
