"""The endpoints below /v1/acl."""

from __future__ import annotations

from pyconsul.agent.httpapi import (
    acl_auth,
    acl_authorize,
    acl_explain,
    acl_login,
    acl_policies,
    acl_roles,
    acl_system,
    acl_templates,
    acl_tokens,
)
from pyconsul.agent.httpapi.router import Route

# GET, PUT, DELETE; their handlers ask, because a body that cannot be read is refused first.
_ONE = "handler acl:read, handler acl:write, handler acl:write"

ACL_ROUTES = (
    Route("PUT", "/v1/acl/bootstrap", acl_system.bootstrap, permission="open"),
    Route("GET", "/v1/acl/replication", acl_system.replication, permission="open"),
    Route("GET", "/v1/acl/explain", acl_explain.endpoint, permission="self"),
    Route("POST", "/v1/internal/acl/authorize", acl_authorize.authorize, permission="self"),
    Route("POST", "/v1/acl/login", acl_login.login, permission="open"),
    Route("POST", "/v1/acl/logout", acl_login.logout, permission="self"),
    Route("GET", "/v1/acl/tokens", acl_tokens.list_tokens, meta_on_error=True, permission="handler acl:read"),
    Route("PUT", "/v1/acl/token", acl_tokens.create, permission="handler acl:write"),
    Route("GET", "/v1/acl/token/self", acl_tokens.read_self, meta_on_error=True, permission="self"),
    Route("GET,PUT,DELETE", "/v1/acl/token/", acl_tokens.endpoint, meta_on_error=True, permission=_ONE),
    Route("GET", "/v1/acl/policies", acl_policies.list_policies, meta_on_error=True, permission="handler acl:read"),
    Route("PUT", "/v1/acl/policy", acl_policies.create, permission="handler acl:write"),
    Route("GET", "/v1/acl/policy/name/", acl_policies.read_named, meta_on_error=True, permission="handler acl:read"),
    Route("GET,PUT,DELETE", "/v1/acl/policy/", acl_policies.endpoint, meta_on_error=True, permission=_ONE),
    Route("GET", "/v1/acl/roles", acl_roles.list_roles, meta_on_error=True, permission="handler acl:read"),
    Route("PUT", "/v1/acl/role", acl_roles.create, permission="handler acl:write"),
    Route("GET", "/v1/acl/role/name/", acl_roles.read_named, meta_on_error=True, permission="handler acl:read"),
    Route("GET,PUT,DELETE", "/v1/acl/role/", acl_roles.endpoint, meta_on_error=True, permission=_ONE),
    Route("GET", "/v1/acl/templated-policies", acl_templates.list_templates, permission="handler acl:read"),
    Route("GET", "/v1/acl/templated-policy/name/", acl_templates.read_named, permission="handler acl:read"),
    Route("POST", "/v1/acl/templated-policy/preview/", acl_templates.preview, permission="handler acl:read"),
    Route("GET", "/v1/acl/auth-methods", acl_auth.list_methods, meta_on_error=True, permission="handler acl:read"),
    Route("PUT", "/v1/acl/auth-method", acl_auth.create_method, permission="handler acl:write"),
    Route("GET,PUT,DELETE", "/v1/acl/auth-method/", acl_auth.method_endpoint, meta_on_error=True, permission=_ONE),
    Route("GET", "/v1/acl/binding-rules", acl_auth.list_rules, meta_on_error=True, permission="handler acl:read"),
    Route("PUT", "/v1/acl/binding-rule", acl_auth.create_rule, permission="handler acl:write"),
    Route("GET,PUT,DELETE", "/v1/acl/binding-rule/", acl_auth.rule_endpoint, meta_on_error=True, permission=_ONE),
)
