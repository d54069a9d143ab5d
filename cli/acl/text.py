"""Format tokens, roles, policies and other ACL objects as lines for people. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Object = dict[str, Any]


def token_lines(token: Object, *, meta: bool = False) -> list[str]:
    """Return a token."""
    rows: list[tuple[str, object]] = [("AccessorID", token["AccessorID"]), ("SecretID", token.get("SecretID", ""))]
    rows += [("Description", token.get("Description", "")), ("Local", _boolean(token.get("Local")))]
    if token.get("AuthMethod"):
        rows.append(("Auth Method", f"{token['AuthMethod']} (Namespace: {token.get('AuthMethodNamespace', '')})"))
    rows.append(("Create Time", go_time(token.get("CreateTime", ""))))
    if token.get("ExpirationTime"):
        rows.append(("Expiration Time", go_time(token["ExpirationTime"])))
    rows += _meta(token, meta)
    return [*_aligned(rows, 18), *grants(token)]


def role_lines(role: Object, *, meta: bool = False, listed: bool = False) -> list[str]:
    """Return a role; `listed` among others, below its name."""
    rows: list[tuple[str, object]] = [("ID", role["ID"])]
    rows += [] if listed else [("Name", role["Name"])]
    rows += [("Description", role.get("Description", "")), *_meta(role, meta)]
    lines = [*_aligned(rows, 14), *grants(role)]
    return [f"{role['Name']}:", *_indented(lines)] if listed else lines


def policy_lines(policy: Object, *, meta: bool = False, listed: bool = False) -> list[str]:
    """Return a policy with its rules; `listed` among others, below its name and without rules."""
    rows: list[tuple[str, object]] = [("ID", policy["ID"])]
    rows += [] if listed else [("Name", policy["Name"])]
    rows += [("Description", policy.get("Description", ""))]
    rows += [("Datacenters", ", ".join(policy.get("Datacenters") or ())), *_meta(policy, meta)]
    lines = _aligned(rows, 14)
    if listed:
        return [f"{policy['Name']}:", *_indented(lines)]
    return [*lines, "Rules:", policy.get("Rules", "")]


def method_lines(method: Object, *, meta: bool = False, listed: bool = False) -> list[str]:
    """Return an auth method with its configuration; `listed` among others, below its name and without it."""
    rows: list[tuple[str, object]] = [] if listed else [("Name", method["Name"])]
    rows.append(("Type", method["Type"]))
    if method.get("DisplayName"):
        rows.append(("DisplayName", method["DisplayName"]))
    rows.append(("Description", method.get("Description", "")))
    if not listed:
        rows += [
            (name, method[name])
            for name in ("MaxTokenTTL", "TokenLocality")
            if method.get(name) not in (None, "", "0s")
        ]
    rows += _meta(method, meta, hashed=False)
    if listed:
        return [f"{method['Name']}:", *_indented(_aligned(rows, 14))]
    import json

    return [*_aligned(rows, 15), "Config:", json.dumps(method.get("Config"), indent=2, ensure_ascii=False)]


def rule_lines(rule: Object, *, meta: bool = False, listed: bool = False) -> list[str]:
    """Return a binding rule; `listed` among others, below its ID."""
    rows: list[tuple[str, object]] = [] if listed else [("ID", rule["ID"])]
    rows += [(name, rule.get(name, "")) for name in ("AuthMethod", "Description", "BindType", "BindName")]
    if variables := (rule.get("BindVars") or {}).get("Name"):
        rows.append(("BindVars", f"Name: {variables}"))
    rows += [("Selector", rule.get("Selector", "")), *_meta(rule, meta, hashed=False)]
    lines = _aligned(rows, 14)
    return [f"{rule['ID']}:", *_indented(lines)] if listed else lines


def grants(owner: Object) -> list[str]:
    """Return the lines of the grants of a token or a role: policies, roles, identities, templated policies."""
    lines: list[str] = []
    for title, name in (("Policies", "Policies"), ("Roles", "Roles")):
        lines += _section(title, [f"{link['ID']} - {link['Name']}" for link in owner.get(name) or ()])
    lines += _section(
        "Service Identities",
        [f"{one['ServiceName']} (Datacenters: {_datacenters(one)})" for one in owner.get("ServiceIdentities") or ()],
    )
    lines += _section(
        "Node Identities",
        [f"{one['NodeName']} (Datacenter: {one['Datacenter']})" for one in owner.get("NodeIdentities") or ()],
    )
    templated: list[str] = []
    for one in owner.get("TemplatedPolicies") or ():
        templated.append(one["TemplateName"])
        if variables := (one.get("TemplateVariables") or {}).get("Name"):
            templated.append(f"   Name: {variables}")
        templated.append(f"   Datacenters: {_datacenters(one)}")
    return lines + _section("Templated Policies", templated)


def _datacenters(one: Object) -> str:
    return ", ".join(one.get("Datacenters") or ()) or "all"


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return [f"{title}:", *_indented(lines)] if lines else []


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"   {line}" for line in lines]


def _aligned(rows: Sequence[tuple[str, object]], width: int) -> list[str]:
    return [f"{name + ':':<{width}}{value}".rstrip() for name, value in rows]


def _meta(owner: Object, meta: bool, *, hashed: bool = True) -> list[tuple[str, object]]:
    if not meta:
        return []
    rows: list[tuple[str, object]] = [("Hash", _hexadecimal(owner.get("Hash") or ""))] if hashed else []
    return [*rows, ("Create Index", owner.get("CreateIndex", 0)), ("Modify Index", owner.get("ModifyIndex", 0))]


def _hexadecimal(base64_text: str) -> str:
    from binascii import a2b_base64

    return a2b_base64(base64_text).hex()


def _boolean(value: object) -> str:
    return "true" if value else "false"


def go_time(text: str) -> str:
    """Return an RFC 3339 time as Go prints one: `2026-01-02T03:04:05Z` is `2026-01-02 03:04:05 +0000 UTC`."""
    day, mark, rest = text.partition("T")
    if not mark:
        return text
    if rest.endswith("Z"):
        return f"{day} {rest[:-1]} +0000 UTC"
    clock, offset = rest[:-6], rest[-6:].replace(":", "")
    return f"{day} {clock} {offset} {offset}"
