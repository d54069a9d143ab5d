"""Endpoints of the service mesh, as a cluster without a mesh serves them: lists are empty, and changes are refused."""

from __future__ import annotations

from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import (
    HTTPError,
    Query,
    Response,
    Result,
    bad_request,
    json_response,
    not_found,
    server_error,
)
from pyconsul.agent.httpapi.core.router import Handler, Read, Route, Write
from pyconsul.agent.httpapi.handlers.mesh import authorities

KINDS = frozenset(
    (
        "service-defaults", "proxy-defaults", "service-router", "service-splitter", "service-resolver", "ingress-gateway",
        "terminating-gateway", "service-intentions", "mesh", "exported-services", "sameness-group", "api-gateway",
        "bound-api-gateway", "inline-certificate", "file-system-certificate", "http-route", "tcp-route", "jwt-provider",
        "control-plane-request-limit",
    )
)  # fmt: skip
REFUSAL = "pyconsul has no service mesh: {} cannot be kept"


def empty_list(missing: str = "", topic: str = "services") -> Handler:
    """Return a handler that responds with an empty list; `missing`: the error for a path without its last part."""

    def response(context: Context, request: Request) -> Query:
        if missing and not request.tail:
            raise bad_request(missing)
        return Query(lambda: Result([], context.view.index_of(topic), (topic,)))

    return response


def unkept(what: str) -> Handler:
    """Return a handler that refuses to store something."""

    def refuse(context: Context, request: Request) -> Response:
        raise bad_request(REFUSAL.format(what))

    return refuse


def disabled(context: Context, request: Request) -> Response:
    """Refuse: certificates need a service mesh."""
    raise server_error(authorities.DISABLED)


def delete_config_entry(context: Context, request: Request) -> Response:
    """Delete a config entry: none exist, so there is nothing to do."""
    kind, _, name = request.tail.partition("/")
    if not kind or not name:
        raise bad_request("Must provide both a kind and name to delete")
    return json_response({})


def list_config_entries(context: Context, request: Request) -> Query:
    """Return the config entries of a kind, or one of them: none exist."""
    kind, _, name = request.tail.partition("/")
    if not kind:
        raise bad_request("Must provide either a kind or both kind and name")
    if kind not in KINDS:
        raise server_error(f"invalid config entry kind: {kind}")
    if name:
        raise not_found(f'Config entry not found for "{kind}" / "{name}"')
    return Query(lambda: Result([], context.view.index_of("config-entries"), ("config-entries",)))


def discovery_chain(context: Context, request: Request) -> Query:
    """Return the default discovery chain of a service."""
    name, datacenter = request.tail, context.config.datacenter
    if not name:
        raise bad_request("Missing chain name")
    target = f"{name}.default.default.{datacenter}"
    resolver = {"Default": True, "ConnectTimeout": "5s", "Target": target}
    chain = {
        "ServiceName": name,
        "Namespace": "default",
        "Partition": "default",
        "Datacenter": datacenter,
        "Protocol": "tcp",
        "Default": True,
        "StartNode": f"resolver:{target}",
        "Nodes": {f"resolver:{target}": {"Type": "resolver", "Name": target, "Resolver": resolver}},
        "Targets": {
            target: {
                "ID": target, "Service": name, "Namespace": "default", "Partition": "default", "Datacenter": datacenter,
                "MeshGateway": {}, "Subset": {},
            }
        },
    }  # fmt: skip
    return Query(lambda: Result({"Chain": chain}, context.view.index_of("config-entries"), ("config-entries",)))


def intention_match(context: Context, request: Request) -> Response:
    """Return the intentions of each service: none exist."""
    if request.params.get("by", "") not in ("source", "destination"):
        raise bad_request(
            "required query parameter 'by' not set"
            if "by" not in request
            else "'by' parameter must be one of 'source' or 'destination'"
        )
    if not (names := request.multi("name")):
        raise bad_request("required query parameter 'name' not set")
    return json_response({name: [] for name in names})


def intention_check(context: Context, request: Request) -> Response:
    """Return whether a service may call another: the default ACL policy decides, since no intentions exist."""
    for name in ("source", "destination"):
        if name not in request:
            raise bad_request(f"required query parameter '{name}' not set")
    acl = context.config.acl
    return json_response({"Allowed": not acl.enabled or acl.default_policy == "allow"})


def show_intention(context: Context, request: Request) -> Response:
    """Return one intention: none exist."""
    raise HTTPError(404, "Intention not found")


def delete_intention(context: Context, request: Request) -> Response:
    """Delete an intention: none exist, so there is nothing to do."""
    return json_response(True)


def list_intentions(context: Context, request: Request) -> Query:
    """Return the intentions: none exist."""
    return Query(lambda: Result([], context.view.index_of("intentions"), ("intentions",)))


def federation_gateways(context: Context, request: Request) -> Response:
    """Return the mesh gateways of other datacenters: none exist."""
    return json_response({})


def federation_state(context: Context, request: Request) -> Response:
    """Return the mesh gateways of one datacenter: none exist."""
    if not request.tail:
        raise bad_request("Missing datacenter name")
    raise not_found(f'Federation state not found for "{request.tail}"')


def topology(context: Context, request: Request) -> Query:
    """Return the upstreams and downstreams of a service: only a mesh knows them."""
    if not request.tail:
        raise bad_request("Missing service name")
    if "kind" not in request:
        raise bad_request("Missing service kind")
    value = {"Protocol": "tcp", "TransparentProxy": False, "Upstreams": [], "Downstreams": [], "FilteredByACLs": False}
    return Query(lambda: Result(value, context.view.index_of("services"), ("services",)))


def show_peering(context: Context, request: Request) -> Response:
    """Return one peer cluster: none exist."""
    if not request.tail:
        raise bad_request("Must specify a name to fetch.")
    raise not_found(f'Peering not found for "{request.tail}"')


def delete_peering(context: Context, request: Request) -> Response:
    """Delete a peering: none exist, so there is nothing to do."""
    if not request.tail:
        raise bad_request("Must specify a name to delete.")
    return json_response({})


ROUTES = (
    Route(
        "/v1/catalog/connect/",
        {"GET": Read(empty_list("Missing service name"), "open")},
        consistency=True,
        meta_on_error=True,
    ),
    Route("/v1/catalog/gateway-services/", {"GET": Read(empty_list("Missing gateway name"), "open")}, consistency=True),
    Route(
        "/v1/health/connect/", {"GET": Read(empty_list("Missing service name"), "open")}, consistency=True, cached=True
    ),
    Route(
        "/v1/health/ingress/", {"GET": Read(empty_list("Missing service name"), "open")}, consistency=True, cached=True
    ),
    Route(
        "/v1/config/",
        {"GET": Read(list_config_entries, "open"), "DELETE": Write(delete_config_entry, "open")},
        meta_on_error=True,
    ),
    Route("/v1/config", {"PUT": Write(unkept("config entries"), "open")}),
    Route(
        "/v1/discovery-chain/",
        {"GET": Read(discovery_chain, "open"), "POST": Read(discovery_chain, "open")},
        consistency=True,
    ),
    Route("/v1/exported-services", {"GET": Read(empty_list(topic="config-entries"), "open")}),
    Route("/v1/imported-services", {"GET": Read(empty_list(topic="config-entries"), "open")}),
    Route("/v1/connect/ca/roots", {"GET": Read(authorities.roots, "open")}),
    Route("/v1/connect/ca/configuration", {"GET": Read(disabled, "open"), "PUT": Write(disabled, "open")}),
    Route("/v1/agent/connect/ca/roots", {"GET": Read(authorities.roots, "open")}),
    Route("/v1/agent/connect/ca/leaf/", {"GET": Read(disabled, "open")}),
    Route("/v1/agent/connect/authorize", {"POST": Read(disabled, "open")}),
    Route(
        "/v1/connect/intentions", {"GET": Read(list_intentions, "open"), "POST": Write(unkept("intentions"), "open")}
    ),
    Route("/v1/connect/intentions/match", {"GET": Read(intention_match, "open")}),
    Route("/v1/connect/intentions/check", {"GET": Read(intention_check, "open")}),
    Route(
        "/v1/connect/intentions/exact",
        {
            "GET": Read(show_intention, "open"),
            "PUT": Write(unkept("intentions"), "open"),
            "DELETE": Write(delete_intention, "open"),
        },
    ),
    Route(
        "/v1/connect/intentions/",
        {
            "GET": Read(show_intention, "open"),
            "PUT": Write(unkept("intentions"), "open"),
            "DELETE": Write(delete_intention, "open"),
        },
    ),
    Route("/v1/internal/federation-states", {"GET": Read(empty_list(topic="federation-states"), "open")}),
    Route("/v1/internal/federation-states/mesh-gateways", {"GET": Read(federation_gateways, "open")}),
    Route("/v1/internal/federation-state/", {"GET": Read(federation_state, "open")}),
    Route("/v1/internal/service-virtual-ip", {"PUT": Write(unkept("virtual addresses"), "open")}),
    Route("/v1/internal/ui/gateway-services-nodes/", {"GET": Read(empty_list("Missing gateway name"), "open")}),
    Route("/v1/internal/ui/gateway-intentions/", {"GET": Read(empty_list("Missing gateway name"), "open")}),
    Route("/v1/internal/ui/service-topology/", {"GET": Read(topology, "open")}),
    Route("/v1/peerings", {"GET": Read(empty_list(topic="peerings"), "open")}),
    Route("/v1/peering/token", {"POST": Write(unkept("peerings"), "open")}),
    Route("/v1/peering/establish", {"POST": Write(unkept("peerings"), "open")}),
    Route("/v1/peering/", {"GET": Read(show_peering, "open"), "DELETE": Write(delete_peering, "open")}),
)
