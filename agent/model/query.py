"""A prepared query: a named question for a service's instances (https://developer.hashicorp.com/consul/api-docs/query)."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from pyconsul.agent.model.wire import camel

NAME_PREFIX_MATCH = "name_prefix_match"


class Template(msgspec.Struct, frozen=True, rename=camel):
    """Makes a query match every name that begins with its own; `type` is empty for a plain query."""

    go_name: ClassVar[str] = "structs.QueryTemplateOptions"  # for the error texts of `httpapi.decode`
    type: str = ""
    regexp: str = ""
    remove_empty_tags: bool = False


class FailoverTarget(msgspec.Struct, frozen=True, rename=camel):
    """One place to look at: a datacenter, or a peer."""

    go_name: ClassVar[str] = "structs.QueryFailoverTarget"
    peer: str = ""
    datacenter: str = ""


class Failover(msgspec.Struct, frozen=True, rename=camel):
    """Where else to look when nothing is found here."""

    go_name: ClassVar[str] = "structs.QueryFailoverOptions"
    nearest_n: int = 0
    datacenters: list[str] | None = None
    targets: list[FailoverTarget] | None = None


class ServiceQuery(msgspec.Struct, frozen=True, rename=camel):
    """The requested instances.  A tag that starts with `!` must be absent; `near` is a node, `_agent` or `_ip`.

    The fields stand in the order in which a template's texts are checked.
    """

    go_name: ClassVar[str] = "structs.ServiceQuery"
    service: str = ""
    sameness_group: str = ""
    failover: Failover = Failover()
    only_passing: bool = False
    ignore_check_ids: list[str] | None = msgspec.field(default=None, name="IgnoreCheckIDs")
    near: str = ""
    tags: list[str] | None = None
    node_meta: dict[str, str] | None = None
    service_meta: dict[str, str] | None = None
    connect: bool = False
    peer: str = ""


class QueryDNS(msgspec.Struct, frozen=True, rename=camel):
    """How DNS answers the query; `ttl` is a duration such as `10s`, or empty."""

    go_name: ClassVar[str] = "structs.QueryDNSOptions"
    ttl: str = ""


class PreparedQuery(msgspec.Struct, frozen=True, kw_only=True, rename=camel):
    """One row of the prepared queries.  One that is bound to a session ends with it."""

    go_name: ClassVar[str] = "structs.PreparedQuery"
    id: str
    name: str
    session: str = ""
    token: str = ""
    template: Template = Template()
    service: ServiceQuery = ServiceQuery()
    dns: QueryDNS = QueryDNS()
    create_index: int = 0
    modify_index: int = 0
