"""Finding ACL objects by a short ID or by name, and the links between them, for the `acl` commands."""

from __future__ import annotations

from typing import Any

from pyconsul.agent.common.http_answer import quote
from pyconsul.agent.common.options import Option, text, texts
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, UsageError
from pyconsul.cli.exit_status import Status
from pyconsul.cli.http.client import Client

Object = dict[str, Any]
_UUID_LENGTH = 36
_NAMED = {"policy": "policies", "role": "roles", "token": "tokens", "binding-rule": "binding-rules"}

POLICY_ID = texts("policy-id", "ID of a policy, or a unique prefix of it; may be repeated.")
POLICY_NAME = texts("policy-name", "Name of a policy; may be repeated.")
SERVICE_IDENTITY = texts("service-identity", "SERVICE or SERVICE:DATACENTER,…; may be repeated.")
NODE_IDENTITY = texts("node-identity", "NODE:DATACENTER; may be repeated.")
TEMPLATED_POLICY = text("templated-policy", "Name of a policy template; its variables come with -var.", metavar="name")
TEMPLATED_POLICY_FILE = text("templated-policy-file", "File (HCL or JSON) with TemplatedPolicies.", metavar="path")
VAR = texts("var", "A template's variable, as name:value; may be repeated.")
_ID = text("id", "ID of the object.")
_NAME = text("name", "Name of the object.")
GRANT_FLAGS: tuple[Option[Any], ...] = (
    POLICY_ID,
    POLICY_NAME,
    SERVICE_IDENTITY,
    NODE_IDENTITY,
    TEMPLATED_POLICY,
    TEMPLATED_POLICY_FILE,
    VAR,
)
ROLE_ID = texts("role-id", "ID of a role, or a unique prefix of it; may be repeated.")
ROLE_NAME = texts("role-name", "Name of a role; may be repeated.")
ROLE_FLAGS: tuple[Option[Any], ...] = (
    ROLE_ID,
    ROLE_NAME,
)


def _append(option: Option[list[str]]) -> Option[list[str]]:
    return texts(f"append-{option.name}", f"The same, added to what the token has: {option.help}")


APPEND_POLICY_ID, APPEND_POLICY_NAME = _append(POLICY_ID), _append(POLICY_NAME)
APPEND_SERVICE_IDENTITY, APPEND_NODE_IDENTITY = _append(SERVICE_IDENTITY), _append(NODE_IDENTITY)
APPEND_ROLE_ID, APPEND_ROLE_NAME = _append(ROLE_ID), _append(ROLE_NAME)
APPEND_FLAGS: tuple[Option[list[str]], ...] = (
    APPEND_POLICY_ID,
    APPEND_POLICY_NAME,
    APPEND_SERVICE_IDENTITY,
    APPEND_NODE_IDENTITY,
    APPEND_ROLE_ID,
    APPEND_ROLE_NAME,
)
#: The flags of links by name and by ID.
LINK_FLAGS = {
    "policy": (POLICY_NAME, POLICY_ID),
    "role": (ROLE_NAME, ROLE_ID),
    "append-policy": (APPEND_POLICY_NAME, APPEND_POLICY_ID),
    "append-role": (APPEND_ROLE_NAME, APPEND_ROLE_ID),
}


def full_id(client: Client, kind: str, partial: str) -> str:
    """Return the ID that begins like this; `kind` is token, policy, role or binding-rule. Raises CliError unless it is one."""
    if len(partial) == _UUID_LENGTH:
        return partial
    field = "AccessorID" if kind == "token" else "ID"
    found = [one for one in client.get(f"/v1/acl/{_NAMED[kind]}") if one[field].startswith(partial)]
    if not found:
        raise CliError(
            f'Error determining {kind} ID: no {kind} has an ID that begins with "{partial}"', Status.NOT_FOUND
        )
    if len(found) > 1:
        names = ", ".join(str(one.get("Name") or one[field]) for one in found[:5])
        raise CliError(f'Error determining {kind} ID: several begin with "{partial}": {names}; give more of it')
    return str(found[0][field])


def named(client: Client, kind: str, name: str) -> Object:
    """Return the policy or role of this name. Raises CliError when it is missing."""
    found: Object = client.get(f"/v1/acl/{kind}/name/{quote(name, slash=False)}")
    return found


def id_or_name(context: Context, kind: str) -> str:
    """Return the ID of the object that -id or -name means. Raises UsageError without either."""
    identity, name = context.args[_ID], context.args[_NAME]
    if not identity and not name:
        raise UsageError("Must specify either the -id or -name parameters")
    return full_id(context.client, kind, identity) if identity else str(named(context.client, kind, name)["ID"])


def links(context: Context, kind: str, prefix: str = "") -> list[Object]:
    """Return the links that -policy-name and -policy-id (or those of roles) ask for; the agent finds the names itself."""
    by_name, by_id = LINK_FLAGS[f"{prefix}{kind}"]
    names = [{"Name": name} for name in context.args[by_name]]
    identities = context.args[by_id]
    return names + [{"ID": full_id(context.client, kind, identity)} for identity in identities]


def service_identities(values: list[str]) -> list[Object]:
    """Parse `web` or `web:dc1,dc2`. Raises UsageError."""
    found = []
    for value in values:
        name, colon, datacenters = value.partition(":")
        if not name or (colon and not datacenters) or ":" in datacenters:
            raise UsageError(f"Malformed service identity {value!r}: use SERVICE or SERVICE:DATACENTER,…")
        found.append({"ServiceName": name, **({"Datacenters": datacenters.split(",")} if colon else {})})
    return found


def node_identities(values: list[str]) -> list[Object]:
    """Parse `node:dc1`. Raises UsageError."""
    found = []
    for value in values:
        name, _, datacenter = value.partition(":")
        if not name or not datacenter or ":" in datacenter:
            raise UsageError(f"Malformed node identity {value!r}: use NODE:DATACENTER")
        found.append({"NodeName": name, "Datacenter": datacenter})
    return found


def templated_policies(name: str, path: str, variables: list[str]) -> list[Object]:
    """Return the templated policies of -templated-policy with -var, or of -templated-policy-file. Raises CliError."""
    if name and path:
        raise UsageError("Cannot combine a templated policy's name with a file")
    if variables and not name:
        raise UsageError("Cannot specify variables without a templated policy's name")
    if path:
        return _templates_in(path)
    if not name:
        return []
    if not variables:
        return [{"TemplateName": name}]
    pairs = [variable.partition(":") for variable in variables]
    for variable, colon, _ in pairs:
        if not colon or variable.lower() != "name":
            raise UsageError("Malformed variable: use -var name:VALUE")
    return [{"TemplateName": name, "TemplateVariables": {"Name": value}} for _, _, value in pairs]


def _templates_in(path: str) -> list[Object]:
    from pyconsul.cli.service_file import read_document

    document = {name.lower(): value for name, value in read_document(path).items()}
    entries = document.get("templatedpolicies")
    entries = entries if isinstance(entries, list) else [entries]
    found = []
    for template, variables in ((key, value) for one in entries if isinstance(one, dict) for key, value in one.items()):
        for block in variables if isinstance(variables, list) else [variables]:
            values = {key.lower(): value for key, value in (block or {}).items()}
            entry: Object = {"TemplateName": template}
            if "name" in values:
                entry["TemplateVariables"] = {"Name": values["name"]}
            if "datacenters" in values:
                entry["Datacenters"] = values["datacenters"]
            found.append(entry)
    if not found:
        raise CliError(f"{path} has no TemplatedPolicies")
    return found


def granted(context: Context) -> Object:
    """Return the fields of a new token or role that the flags of GRANT_FLAGS give."""
    args = context.args
    fields = {
        "Policies": links(context, "policy"),
        "ServiceIdentities": service_identities(args[SERVICE_IDENTITY]),
        "NodeIdentities": node_identities(args[NODE_IDENTITY]),
        "TemplatedPolicies": templated_policies(args[TEMPLATED_POLICY], args[TEMPLATED_POLICY_FILE], args[VAR]),
    }
    return {name: value for name, value in fields.items() if value}


def merged(old: list[Object] | None, new: list[Object], *fields: str) -> list[Object]:
    """Return the old entries with the new ones: an entry that agrees in a field with an old one takes its place."""
    result = list(old or ())
    for entry in new:
        same = [
            i
            for i, one in enumerate(result)
            if any(field in entry and one.get(field) == entry[field] for field in fields)
        ]
        if same:
            result[same[0]] = {**result[same[0]], **entry} if "ID" in result[same[0]] else entry
        else:
            result.append(entry)
    return result
