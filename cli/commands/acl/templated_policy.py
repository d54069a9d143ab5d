"""`pyconsul acl templated-policy`.

The API: https://developer.hashicorp.com/consul/api-docs/acl/templated-policies
"""

from __future__ import annotations

from typing import Any

from pyconsul.agent.common.http_answer import quote
from pyconsul.agent.common.options import switch, text, texts
from pyconsul.cli.acl.objects import templated_policies
from pyconsul.cli.commands.acl.policy import POLICIES
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, UsageError, during
from pyconsul.cli.help.command import Command
from pyconsul.cli.http.client import to_json
from pyconsul.cli.output.render import document, format_flag

#: Help for the built-in templates: their variable, and an example.
_KNOWN = {
    "builtin/service": ("The name of the service.", "-var name:api"),
    "builtin/node": ("The node name.", "-var name:node-1"),
    "builtin/workload-identity": ("The workload name.", "-var name:api"),
    "builtin/dns": ("", ""),
    "builtin/nomad-server": ("", ""),
    "builtin/nomad-client": ("", ""),
    "builtin/api-gateway": ("The api gateway service name.", "-var name:api-gateway"),
}


def list_(context: Context) -> None:
    """Print the names of the templates."""
    try:
        templates = context.client.get("/v1/acl/templated-policies")
    except CliError as error:
        raise during("Failed to retrieve the templated policies list", error) from None
    if document(context, templates):
        return
    for name in sorted(template["TemplateName"] for template in templates.values()):
        context.out(name)


def read(context: Context) -> None:
    """Print a template: what it needs and how it is used; with -meta its source."""
    name = context.args[_NAME]
    if not name:
        raise UsageError("Must specify the -name parameter")
    try:
        template = context.client.get("/v1/acl/templated-policy/name/" + quote(name))
    except CliError as error:
        raise during(f"Failed to read templated policy {name}", error) from None
    if not document(context, template):
        _print(context, template)


def _print(context: Context, template: dict[str, Any]) -> None:
    name = template["TemplateName"]
    variable, example = _KNOWN.get(name, ("", ""))
    context.out(f"Name:            {name}")
    context.out("Input variables:" if variable else "Input variables: None")
    if variable:
        context.out(f"\tName: String - Required - {variable}")
    context.out("Example usage:")
    context.out(f"\tpyconsul acl token create -templated-policy {name} {example}".rstrip())
    if context.args[_META]:
        if template.get("Schema"):
            context.out(f"Schema:\n{template['Schema']}\n")
        context.out(f"Raw Template:\n{template.get('Template', '')}")


def preview(context: Context) -> None:
    """Print the policy that a template makes of its variables."""
    args = context.args
    if not args[_NAME] and not args[_FILE]:
        raise UsageError("Cannot preview a templated policy without specifying -name or -file")
    found = templated_policies(args[_NAME], args[_FILE], args[_VAR])
    if len(found) != 1:
        raise UsageError("Can only preview a single templated policy at a time.")
    path = "/v1/acl/templated-policy/preview/" + quote(found[0]["TemplateName"])
    body = to_json(found[0].get("TemplateVariables") or {})
    try:
        policy = context.client.request("POST", path, body=body).checked().json()
    except CliError as error:
        raise during("Failed to generate the templated policy preview", error) from None
    POLICIES.show(context, policy)


_NAME = text("name", "Name of the template.", metavar="name")
_FORMAT = format_flag("pretty")
_META = switch("meta", "Also print the template.")
_FILE = text("file", "File (HCL or JSON) with TemplatedPolicies.", metavar="path")
_VAR = texts("var", "A variable, as name:value; may be repeated.")
COMMANDS = {
    "acl templated-policy list": Command(list_, _FORMAT),
    "acl templated-policy read": Command(read, _NAME, _META, _FORMAT),
    "acl templated-policy preview": Command(
        preview,
        _NAME,
        _FILE,
        _VAR,
        _FORMAT,
    ),
}
