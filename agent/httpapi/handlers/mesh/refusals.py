"""What clients ask of the service mesh, answered as by a cluster without one: lists are empty, and changes are refused."""

from __future__ import annotations

from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import (
    Answer,
    HTTPError,
    Query,
    Result,
    bad_request,
    json_answer,
    not_found,
    server_error,
)
from pyconsul.agent.httpapi.core.router import Handler, Route
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
    """A handler that answers an empty list; it refuses a path whose last part is missing with a text."""

    def answer(context: Context, request: Request) -> Query:
        if missing and not request.tail:
            raise bad_request(missing)
        return Query(lambda: Result([], context.view.index_of(topic), (topic,)))

    return answer


def unkept(what: str) -> Handler:
    """A handler that refuses to keep something."""

    def refuse(context: Context, request: Request) -> Answer:
        raise bad_request(REFUSAL.format(what))

    return refuse


def disabled(context: Context, request: Request) -> Answer:
    """Everything about certificates."""
    raise server_error(authorities.DISABLED)


def config(context: Context, request: Request) -> Answer | Query:
    """Config entries of a kind, or one of them: there are none."""
    kind, _, name = request.tail.partition("/")
    if request.method == "DELETE":
        if not kind or not name:
            raise bad_request("Must provide both a kind and name to delete")
        return json_answer({})
    if not kind:
        raise bad_request("Must provide either a kind or both kind and name")
    if kind not in KINDS:
        raise server_error(f"invalid config entry kind: {kind}")
    if name:
        raise not_found(f'Config entry not found for "{kind}" / "{name}"')
    return Query(lambda: Result([], context.view.index_of("config-entries"), ("config-entries",)))


def discovery_chain(context: Context, request: Request) -> Query:
    """How a service is found: by its name, here."""
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


def intention_match(context: Context, request: Request) -> Answer:
    """The intentions that concern services: none, for each name that is asked for."""
    if request.params.get("by", "") not in ("source", "destination"):
        raise bad_request(
            "required query parameter 'by' not set"
            if "by" not in request
            else "'by' parameter must be one of 'source' or 'destination'"
        )
    if not (names := request.multi("name")):
        raise bad_request("required query parameter 'name' not set")
    return json_answer({name: [] for name in names})


def intention_check(context: Context, request: Request) -> Answer:
    """Whether a service may call another: the ACLs' default decides, since there are no intentions."""
    for name in ("source", "destination"):
        if name not in request:
            raise bad_request(f"required query parameter '{name}' not set")
    acl = context.config.acl
    return json_answer({"Allowed": not acl.enabled or acl.default_policy == "allow"})


def intention(context: Context, request: Request) -> Answer:
    """One intention: there is none, and none can be made."""
    if request.method == "PUT":
        raise bad_request(REFUSAL.format("intentions"))
    if request.method == "DELETE":
        return json_answer(True)
    raise HTTPError(404, "Intention not found")


def intentions(context: Context, request: Request) -> Answer | Query:
    """All intentions."""
    if request.method == "POST":
        raise bad_request(REFUSAL.format("intentions"))
    return Query(lambda: Result([], context.view.index_of("intentions"), ("intentions",)))


def federation_gateways(context: Context, request: Request) -> Answer:
    """The mesh gateways of other datacenters."""
    return json_answer({})


def federation_state(context: Context, request: Request) -> Answer:
    """The mesh gateways of one datacenter."""
    if not request.tail:
        raise bad_request("Missing datacenter name")
    raise not_found(f'Federation state not found for "{request.tail}"')


def topology(context: Context, request: Request) -> Query:
    """Which services a service calls, and which call it: only a mesh would know."""
    if not request.tail:
        raise bad_request("Missing service name")
    if "kind" not in request:
        raise bad_request("Missing service kind")
    value = {"Protocol": "tcp", "TransparentProxy": False, "Upstreams": [], "Downstreams": [], "FilteredByACLs": False}
    return Query(lambda: Result(value, context.view.index_of("services"), ("services",)))


def peering(context: Context, request: Request) -> Answer:
    """One peer cluster: there is none."""
    if not request.tail:
        raise bad_request(
            "Must specify a name to fetch." if request.method == "GET" else "Must specify a name to delete."
        )
    if request.method == "DELETE":
        return json_answer({})
    raise not_found(f'Peering not found for "{request.tail}"')


MESH_ROUTES = (
    Route(
        "GET",
        "/v1/catalog/connect/",
        empty_list("Missing service name"),
        consistency=True,
        meta_on_error=True,
        permission="open",
    ),
    Route(
        "GET", "/v1/catalog/gateway-services/", empty_list("Missing gateway name"), consistency=True, permission="open"
    ),
    Route(
        "GET",
        "/v1/health/connect/",
        empty_list("Missing service name"),
        consistency=True,
        cached=True,
        permission="open",
    ),
    Route(
        "GET",
        "/v1/health/ingress/",
        empty_list("Missing service name"),
        consistency=True,
        cached=True,
        permission="open",
    ),
    Route("GET,DELETE", "/v1/config/", config, meta_on_error=True, permission="open"),
    Route("PUT", "/v1/config", unkept("config entries"), permission="open"),
    Route("GET,POST", "/v1/discovery-chain/", discovery_chain, consistency=True, permission="open"),
    Route("GET", "/v1/exported-services", empty_list(topic="config-entries"), permission="open"),
    Route("GET", "/v1/imported-services", empty_list(topic="config-entries"), permission="open"),
    Route("GET", "/v1/connect/ca/roots", authorities.roots, permission="open"),
    Route("GET,PUT", "/v1/connect/ca/configuration", disabled, permission="open"),
    Route("GET", "/v1/agent/connect/ca/roots", authorities.roots, permission="open"),
    Route("GET", "/v1/agent/connect/ca/leaf/", disabled, permission="open"),
    Route("POST", "/v1/agent/connect/authorize", disabled, permission="open"),
    Route("GET,POST", "/v1/connect/intentions", intentions, permission="open"),
    Route("GET", "/v1/connect/intentions/match", intention_match, permission="open"),
    Route("GET", "/v1/connect/intentions/check", intention_check, permission="open"),
    Route("GET,PUT,DELETE", "/v1/connect/intentions/exact", intention, permission="open"),
    Route("GET,PUT,DELETE", "/v1/connect/intentions/", intention, permission="open"),
    Route("GET", "/v1/internal/federation-states", empty_list(topic="federation-states"), permission="open"),
    Route("GET", "/v1/internal/federation-states/mesh-gateways", federation_gateways, permission="open"),
    Route("GET", "/v1/internal/federation-state/", federation_state, permission="open"),
    Route("PUT", "/v1/internal/service-virtual-ip", unkept("virtual addresses"), permission="open"),
    Route("GET", "/v1/internal/ui/gateway-services-nodes/", empty_list("Missing gateway name"), permission="open"),
    Route("GET", "/v1/internal/ui/gateway-intentions/", empty_list("Missing gateway name"), permission="open"),
    Route("GET", "/v1/internal/ui/service-topology/", topology, permission="open"),
    Route("GET", "/v1/peerings", empty_list(topic="peerings"), permission="open"),
    Route("POST", "/v1/peering/token", unkept("peerings"), permission="open"),
    Route("POST", "/v1/peering/establish", unkept("peerings"), permission="open"),
    Route("GET,DELETE", "/v1/peering/", peering, permission="open"),
)
