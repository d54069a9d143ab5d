"""Checks the syntax of values: JSON, YAML and HCL.  A mistake never stands in the way of saving."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

from pyconsul.agent.common.files.hcl import HclSyntaxError, read_hcl

FORMATS = (("", "by name"), ("json", "JSON"), ("yaml", "YAML"), ("hcl", "HCL"), ("none", "none"))
SUFFIXES = {".json": "json", ".yaml": "yaml", ".yml": "yaml", ".hcl": "hcl", ".tf": "hcl", ".nomad": "hcl"}
MAX_CHARACTERS = 128 << 10  # of YAML and HCL, which are read slowly


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a check.  line, column: of the mistake, from 1; 0 without a place or a mistake."""

    text: str
    is_right: bool = True
    line: int = 0
    column: int = 0


def format_of(key: str, wanted: str) -> str:
    """Return the format of a value: the wanted one, or the one that the key's name tells; "" for none."""
    if wanted in ("json", "yaml", "hcl"):
        return wanted
    if wanted == "none":
        return ""
    return SUFFIXES.get("." + key.rpartition(".")[2].lower(), "") if "." in key else ""


async def check(kind: str, text: str) -> Verdict | None:
    """Return what is wrong with a text; None if it has no format."""
    if not kind:
        return None
    if kind == "json":
        return verdict(kind, text)
    if len(text) > MAX_CHARACTERS:
        return Verdict(f"{kind.upper()}: not checked, the text is longer than {MAX_CHARACTERS >> 10} KB")
    return await asyncio.to_thread(verdict, kind, text)


def verdict(kind: str, text: str) -> Verdict:
    """Return what is wrong with a text of a format."""
    name = kind.upper()
    try:
        found = {"json": _json, "yaml": _yaml, "hcl": _hcl}[kind](text)
    except RecursionError:
        found = Verdict("nested too deeply", False)
    if found is None:
        return Verdict(f"{name}: no mistakes")
    place = f" at line {found.line}, column {found.column}" if found.line else ""
    return Verdict(f"{name}: {found.text}{place}", False, found.line, found.column)


def _json(text: str) -> Verdict | None:
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return Verdict(error.msg, False, error.lineno, error.colno)
    except ValueError as error:  # a number with too many digits
        return Verdict(str(error), False)
    return None


def _yaml(text: str) -> Verdict | None:
    import yaml

    try:
        # Events only: aliases are not expanded, and no objects are made.
        for _ in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            pass
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        return Verdict(error.problem or error.context or "not YAML", False, *place)
    except yaml.YAMLError as error:
        return Verdict(str(error).partition("\n")[0], False)
    return None


def _hcl(text: str) -> Verdict | None:
    try:
        read_hcl(text)
    except HclSyntaxError as error:
        last = text.count("\n") + 1
        if 0 < error.line <= last:
            return Verdict("unexpected text", False, error.line, error.column)
        return Verdict("something is missing", False, last, len(text.rpartition("\n")[2]) + 1)
    return None
