"""/v1/acl/templated-policies: https://developer.hashicorp.com/consul/api-docs/acl/templated-policies"""

from __future__ import annotations

from pyconsul.agent.acl.synthetic_policies import synthetic_policy
from pyconsul.agent.acl.templates import TEMPLATES, name_error
from pyconsul.agent.httpapi.codec.decoding import decode
from pyconsul.agent.httpapi.core.authorization import enabled, require
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import Response, bad_request, json_response
from pyconsul.agent.httpapi.core.router import Read, Route
from pyconsul.agent.httpapi.handlers.acl import show
from pyconsul.agent.httpapi.handlers.acl.bodies import TemplateVariables


def list_templates(context: Context, request: Request) -> Response:
    """Return the templates by name."""
    enabled(context)
    require(request, "acl:read")
    return json_response({name: show.template(template) for name, template in TEMPLATES.items()})


def read_named(context: Context, request: Request) -> Response:
    """Return one template."""
    enabled(context)
    require(request, "acl:read")
    if not request.tail:
        raise bad_request("Missing templated policy Name")
    template = TEMPLATES.get(request.tail)
    if template is None:
        raise bad_request(f"Invalid templated policy Name: {request.tail}")
    return json_response(show.template(template))


def preview(context: Context, request: Request) -> Response:
    """Return the policy that a template makes of variables."""
    enabled(context)
    require(request, "acl:read")
    if not request.tail:
        raise bad_request("Missing templated policy Name")
    template = TEMPLATES.get(request.tail)
    if template is None:
        raise bad_request(f'templated policy "{request.tail}" does not exist')
    variables = decode(request.body, TemplateVariables, "Failed to decode request body: ")
    if (error := name_error(template, variables.name)) is not None:
        raise bad_request(f'validation error for templated policy: "{template.name}": {error}')
    return json_response(show.policy(synthetic_policy(template, variables.name)))


ROUTES = (
    Route("/v1/acl/templated-policies", {"GET": Read(list_templates, "handler acl:read")}),
    Route("/v1/acl/templated-policy/name/", {"GET": Read(read_named, "handler acl:read")}),
    Route("/v1/acl/templated-policy/preview/", {"POST": Read(preview, "handler acl:read")}),
)
