"""The endpoints below /v1/acl."""

from __future__ import annotations

from pyconsul.agent.httpapi.core.router import Route
from pyconsul.agent.httpapi.handlers.acl import (
    auth_methods,
    authorize,
    explain,
    login,
    policies,
    roles,
    system,
    templates,
    tokens,
)

# GET, PUT, DELETE; their handlers ask, because a body that cannot be read is refused first.
_ONE = "handler acl:read, handler acl:write, handler acl:write"

ACL_ROUTES = (
    Route("PUT", "/v1/acl/bootstrap", system.bootstrap, permission="open"),
    Route("GET", "/v1/acl/replication", system.replication, permission="open"),
    Route("GET", "/v1/acl/explain", explain.endpoint, permission="self"),
    Route("POST", "/v1/internal/acl/authorize", authorize.authorize, permission="self"),
    Route("POST", "/v1/acl/login", login.login, permission="open"),
    Route("POST", "/v1/acl/logout", login.logout, permission="self"),
    Route("GET", "/v1/acl/tokens", tokens.list_tokens, meta_on_error=True, permission="handler acl:read"),
    Route("PUT", "/v1/acl/token", tokens.create, permission="handler acl:write"),
    Route("GET", "/v1/acl/token/self", tokens.read_self, meta_on_error=True, permission="self"),
    Route("GET,PUT,DELETE", "/v1/acl/token/", tokens.endpoint, meta_on_error=True, permission=_ONE),
    Route("GET", "/v1/acl/policies", policies.list_policies, meta_on_error=True, permission="handler acl:read"),
    Route("PUT", "/v1/acl/policy", policies.create, permission="handler acl:write"),
    Route("GET", "/v1/acl/policy/name/", policies.read_named, meta_on_error=True, permission="handler acl:read"),
    Route("GET,PUT,DELETE", "/v1/acl/policy/", policies.endpoint, meta_on_error=True, permission=_ONE),
    Route("GET", "/v1/acl/roles", roles.list_roles, meta_on_error=True, permission="handler acl:read"),
    Route("PUT", "/v1/acl/role", roles.create, permission="handler acl:write"),
    Route("GET", "/v1/acl/role/name/", roles.read_named, meta_on_error=True, permission="handler acl:read"),
    Route("GET,PUT,DELETE", "/v1/acl/role/", roles.endpoint, meta_on_error=True, permission=_ONE),
    Route("GET", "/v1/acl/templated-policies", templates.list_templates, permission="handler acl:read"),
    Route("GET", "/v1/acl/templated-policy/name/", templates.read_named, permission="handler acl:read"),
    Route("POST", "/v1/acl/templated-policy/preview/", templates.preview, permission="handler acl:read"),
    Route("GET", "/v1/acl/auth-methods", auth_methods.list_methods, meta_on_error=True, permission="handler acl:read"),
    Route("PUT", "/v1/acl/auth-method", auth_methods.create_method, permission="handler acl:write"),
    Route("GET,PUT,DELETE", "/v1/acl/auth-method/", auth_methods.method_endpoint, meta_on_error=True, permission=_ONE),
    Route("GET", "/v1/acl/binding-rules", auth_methods.list_rules, meta_on_error=True, permission="handler acl:read"),
    Route("PUT", "/v1/acl/binding-rule", auth_methods.create_rule, permission="handler acl:write"),
    Route("GET,PUT,DELETE", "/v1/acl/binding-rule/", auth_methods.rule_endpoint, meta_on_error=True, permission=_ONE),
)
