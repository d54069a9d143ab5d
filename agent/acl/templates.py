"""The templates of policies that are built in (https://developer.hashicorp.com/consul/docs/security/acl/acl-templated-policies)."""

from __future__ import annotations

import re

import msgspec

from pyconsul.agent.model.acl import TemplatedPolicy

_NAME_SCHEMA = """{
	"type": "object",
	"properties": {
		"name": { "type": "string", "$ref": "#/definitions/min-length-one" }
	},
	"required": ["name"],
	"definitions": {
		"min-length-one": {
				"type": "string",
				"minLength": 1
		}
	}
}"""
_VARIABLE = "{{.Name}}"
SERVICE = "builtin/service"
NODE = "builtin/node"
#: What services and nodes may be called in identities and templates.
IDENTITY_NAME = re.compile(r"(?=.{1,256}\Z)[a-z0-9]([a-z0-9\-_]*[a-z0-9])?")


class Template(msgspec.Struct, frozen=True):
    """A template: its rules, in which `{{.Name}}` stands for its variable, if it has one."""

    id: str
    name: str
    description: str
    text: str
    takes_name: bool = True

    @property
    def schema(self) -> str:
        """Return the JSON schema of its variables."""
        return _NAME_SCHEMA if self.takes_name else ""

    def rules(self, name: str | None) -> str:
        return self.text.replace(_VARIABLE, name or "") if self.takes_name else self.text


def _block(keyword: str, name: str, level: str, indent: str = "\t") -> str:
    return f'{keyword} "{name}" {{\n{indent}policy = "{level}"\n}}'


def _rules(*parts: str, start: str = "\n") -> str:
    return start + "\n".join(parts)


_ID = "00000000-0000-0000-0000-0000000000"
TEMPLATES: dict[str, Template] = {
    template.name: template
    for template in (
        Template(
            f"{_ID}03",
            SERVICE,
            "Gives the token or role permissions to register a service and discover services in the Consul catalog. "
            "It also gives the specified service's sidecar proxy the permission to discover and route traffic to "
            "other services.",
            _rules(
                _block("service", _VARIABLE, "write"),
                _block("service", f"{_VARIABLE}-sidecar-proxy", "write"),
                _block("service_prefix", "", "read"),
                _block("node_prefix", "", "read"),
            ),
        ),
        Template(
            f"{_ID}04",
            NODE,
            "Gives the token or role permissions for a register an agent/node into the catalog. A node is typically "
            "a consul agent but can also be a physical server, cloud instance or a container.",
            _rules(_block("node", _VARIABLE, "write"), _block("service_prefix", "", "read")),
        ),
        Template(
            f"{_ID}05",
            "builtin/dns",
            "Gives the token or role permissions for the Consul DNS to query services in the network.",
            _rules(
                _block("node_prefix", "", "read"),
                _block("service_prefix", "", "read"),
                _block("query_prefix", "", "read"),
            ),
            takes_name=False,
        ),
        Template(
            f"{_ID}06",
            "builtin/nomad-server",
            "Gives the token or role permissions required for integration with a nomad server.",
            _rules(
                'acl = "write"',
                _block("agent_prefix", "", "read", "  "),
                _block("node_prefix", "", "read", "  "),
                _block("service_prefix", "", "write", "  "),
            ),
            takes_name=False,
        ),
        Template(
            f"{_ID}08",
            "builtin/api-gateway",
            "Gives the token or role permissions for a Consul api gateway",
            _rules(
                'mesh = "read"',
                _block("node_prefix", "", "read"),
                _block("service_prefix", "", "read"),
                _block("service", _VARIABLE, "write"),
                start="",
            ),
        ),
        Template(
            f"{_ID}09",
            "builtin/nomad-client",
            "Gives the token or role permissions required for integration with a nomad client.",
            _rules(
                _block("agent_prefix", "", "read", "  "),
                _block("node_prefix", "", "read", "  "),
                _block("service_prefix", "", "write", "  "),
                _block("key_prefix", "", "read", "  "),
                start="",
            ),
            takes_name=False,
        ),
    )
}
BY_ID = {template.id: template for template in TEMPLATES.values()}


def variables_error(template: Template, given: TemplatedPolicy) -> str | None:
    """Return the error in the variables of a template, in a schema checker's words; None for no error."""
    if not template.takes_name:
        return None
    if given.name is None:
        return _one_error("Invalid type. Expected: object, given: null")
    if given.name == "":
        return _one_error("name: String length must be greater than or equal to 1")
    return None


def _one_error(text: str) -> str:
    return f"1 error occurred:\n\t* {text}\n\n"


def name_error(template: Template, name: str | None) -> str | None:
    """Return the error in the name of a template; None for no error."""
    if not template.takes_name or IDENTITY_NAME.fullmatch(name or ""):
        return None
    what = {SERVICE: "service identity", NODE: "node identity"}.get(template.name, "api gateway identity")
    allowed = "Only lowercase alphanumeric characters, '-' and '_' are allowed"
    return f'{what} "{name or ""}" has an invalid name. {allowed}'
