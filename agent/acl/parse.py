"""Reads the rules of a policy, in HCL or JSON (https://developer.hashicorp.com/consul/docs/security/acl/acl-rules).

Unknown blocks, and Sentinel code in known ones, mean nothing.  The texts of what is refused are Consul's; `line` says where.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from pyconsul.agent.acl import parse_errors
from pyconsul.agent.acl.parse_simple import Plain, read_plain
from pyconsul.agent.acl.rules import LEVELS, NAMED, SINGLE, Rule
from pyconsul.agent.common.suggest import did_you_mean
from pyconsul.agent.config.readers.hclfile import parse_hcl

MAX_HCL = 64 << 10  # characters of what `read_plain` does not read: the grammar of HCL takes 10 µs for each
FAILED = "Failed to parse ACL rules: "
# Consul's name of a rule's structure, and of the field with the rule's name.
_STRUCTURES = {
    "agent": ("AgentRule", "Node"),
    "key": ("KeyRule", "Prefix"),
    "node": ("NodeRule", "Name"),
    "service": ("ServiceRule", "Name"),
    "session": ("SessionRule", "Node"),
    "event": ("EventRule", "Event"),
    "query": ("PreparedQueryRule", "Prefix"),
}
_ENTERPRISE = ("key", "node", "service")
# The order in which Consul validates.
_ORDER = (
    "acl",
    "agent",
    "key",
    "node",
    "service",
    "session",
    "event",
    "query",
    "keyring",
    "operator",
    "mesh",
    "peering",
)


class RuleError(ValueError):
    """Rules that cannot be: Consul's text, and the line (0: not known)."""

    def __init__(self, text: str, line: int = 0) -> None:
        super().__init__(text)
        self.line = line


@lru_cache(maxsize=4096)
def parse_rules(text: str) -> tuple[Rule, ...]:
    """Return the rules of a policy in the order they are written.  Raises RuleError."""
    found = list(_read(text))
    for kind in _ORDER:
        for keyword in (kind, f"{kind}_prefix") if kind in NAMED else (kind,):
            for one in found:
                if one.keyword == keyword:
                    _check(one, kind)
    return tuple(_rule(one) for one in found if one.body != "")


def unknown_rules(text: str) -> list[str]:
    """Return a hint for each unknown block of valid rules: Consul accepts it silently, and it has no effect."""
    plain = read_plain(text)
    if plain is None:
        document = _json(text) if text.lstrip().startswith("{") else _hcl(text)
        found = [(keyword, _line(text, keyword, None)) for keyword in document]
    else:
        found = [(one.keyword, one.line) for one in plain]
    known = (*SINGLE, *NAMED, *(f"{kind}_prefix" for kind in NAMED))
    return [
        f"line {line}: rule {_quote(keyword)} is not known and gives nothing{did_you_mean(keyword.lower(), known)}"
        for keyword, line in found
        if _kind(keyword) is None
    ]


def _read(text: str) -> Iterator[Plain]:
    """Return the rules about known resources."""
    return (one for one in _everything(text) if _kind(one.keyword) is not None)


def _everything(text: str) -> Iterable[Plain]:
    plain = read_plain(text)
    if plain is not None and all(one.name is None or one.keyword not in SINGLE for one in plain):
        return plain
    is_json = text.lstrip().startswith("{")
    document = _json(text) if is_json else _hcl(text)
    return _entries(document, text)


def _json(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError as error:
        where = parse_errors.position(text, getattr(error, "pos", 0))
        raise RuleError(f"{FAILED}At {where}: {getattr(error, 'msg', error)}", int(where.partition(":")[0])) from None
    assert isinstance(document, dict)
    return document


def _hcl(text: str) -> dict[str, Any]:
    if len(text) > MAX_HCL:
        known = "rules in plain form (one block a rule, with a policy only)"
        raise RuleError(
            f"{FAILED}{len(text)} characters are too many; more than {MAX_HCL} are read of {known} and of JSON"
        )
    words = parse_errors.repeated(text)
    if words is None:
        try:
            return parse_hcl(text)
        except ValueError:
            words = parse_errors.complaint(text)
    line = re.search(r"\bat (\d+):", words, re.IGNORECASE)
    raise RuleError(FAILED + words, int(line[1]) if line else 0)


def _kind(keyword: str) -> str | None:
    """Return the resource that a keyword is about; like all keys of HCL it may be written in any case."""
    keyword = keyword.lower()
    if keyword in SINGLE:
        return keyword
    kind = keyword.removesuffix("_prefix")
    return kind if kind in NAMED else None


def _entries(document: dict[str, Any], text: str) -> Iterator[Plain]:
    for keyword, value in document.items():
        kind = _kind(keyword)
        if kind is None:
            continue
        if kind in SINGLE:
            yield Plain(kind, None, _text(value), _line(text, keyword, None))
            continue
        for block in value if isinstance(value, list) else [value]:
            for name, body in block.items() if isinstance(block, dict) else ():
                for one in body if isinstance(body, list) else [body]:
                    settings = {key.lower(): item for key, item in one.items()} if isinstance(one, dict) else {}
                    yield Plain(keyword.lower(), name, settings, _line(text, keyword, name))


def _line(text: str, keyword: str, name: str | None) -> int:
    quoted = "" if name is None else r'"?\s*[=:]?\s*[\[{]*\s*' + re.escape(json.dumps(name))
    match = re.search(rf"(?<!\w){re.escape(keyword)}(?!\w){quoted}", text)
    return text.count("\n", 0, match.start()) + 1 if match else 0


def _text(value: Any) -> str:
    """Return a value as text, by HCL's conversion."""
    if isinstance(value, bool):
        return "1" if value else "0"
    return value if isinstance(value, str) else str(value) if isinstance(value, int | float) else ""


def _check(one: Plain, kind: str) -> None:
    if isinstance(one.body, str):
        if one.body not in ("", "read", "write", "deny"):
            raise RuleError(f"Invalid {kind} policy: {_quote(one.body)}", one.line)
        return
    policy, intentions = _text(one.body.get("policy")), _text(one.body.get("intentions"))
    if policy not in LEVELS or (policy == "list" and kind != "key"):
        raise RuleError(f"Invalid {one.keyword} policy: {_shown(one, kind, policy, intentions)}", one.line)
    if kind == "service" and intentions not in ("", "read", "write", "deny"):
        raise RuleError(f"Invalid {one.keyword} intentions policy: {_shown(one, kind, policy, intentions)}", one.line)


def _shown(one: Plain, kind: str, policy: str, intentions: str) -> str:
    """Return a rule as Go prints its structure."""
    structure, field = _STRUCTURES[kind]
    parts = [f"{field}:{_quote(one.name or '')}", f"Policy:{_quote(policy)}"]
    if kind == "service":
        parts.append(f"Intentions:{_quote(intentions)}")
    if kind in _ENTERPRISE:
        parts.append("EnterpriseRule:acl.EnterpriseRule{}")
    return f"&acl.{structure}{{{', '.join(parts)}}}"


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _rule(one: Plain) -> Rule:
    kind = _kind(one.keyword)
    assert kind is not None
    if isinstance(one.body, str):
        return Rule(kind, "", False, LEVELS[one.body], one.line)
    level = LEVELS[_text(one.body["policy"])]
    return Rule(kind, one.name or "", one.keyword != kind, level, one.line)
