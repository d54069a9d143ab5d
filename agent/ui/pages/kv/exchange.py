"""Export a tree as `pyconsul kv export` does, and import one with a preview."""

from __future__ import annotations

import json
import shlex
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from typing import Any

import msgspec

from pyconsul.agent.ui.contract import Action, Download, Outcome, Page, PageRoute, Refused
from pyconsul.agent.ui.forms import bytes_of
from pyconsul.agent.ui.pages.kv import plan, reading
from pyconsul.agent.ui.pages.kv.paths import crumbs, folder_of, key_of
from pyconsul.agent.ui.visit import Visit

MAX_EXPORTED = 20_000  # keys
MAX_IMPORTED = 1 << 20  # bytes of a file
TITLE = "Nothing was imported"
ESCAPED = {ord(letter): f"\\u{ord(letter):04x}" for letter in "<>&\u2028\u2029"}  # as Go's encoder does
Wanted = dict[str, tuple[bytes, int]]


async def export(visit: Visit) -> Download:
    """Return the keys below a folder as JSON."""
    folder = key_of(visit)
    command = f"pyconsul kv export {shlex.quote(folder)}".rstrip()
    found = await reading.all_below(visit, folder, MAX_EXPORTED, "export", command)
    rows = [{"key": one.key, "flags": one.flags, "value": b64encode(one.value or b"").decode()} for one in found]
    name = folder.strip("/").replace("/", "-") or "keys"
    text = json.dumps(rows, ensure_ascii=False, indent="\t").translate(ESCAPED) + "\n"
    return Download(f"{name}.json", "application/json", text.encode("utf-8", "surrogatepass"))


def show(visit: Visit) -> Page:
    """Show the form."""
    folder = folder_of(visit)
    return Page(
        "kv_import.html",
        "Import keys",
        "kv",
        {
            "folder": folder,
            "crumbs": crumbs(visit.links, folder),
            "prefix": visit.form.get("prefix", ""),
            "typed": visit.form.get("text", ""),
            "limit": MAX_IMPORTED,
            "missing": visit.lacks("key:write", folder),
        },
    )


def parsed(data: bytes, prefix: str) -> Wanted:
    """Return the values and flags of an export.  Raises Refused with the entry that is wrong."""
    if len(data) > MAX_IMPORTED:
        raise Refused(
            TITLE,
            f"The file has {len(data):,} bytes; at most {MAX_IMPORTED:,} are imported here.",
            "Use the command line: pyconsul kv import @FILE",
            status=413,
        )
    try:
        rows: Any = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused(
            TITLE, f"This is not JSON: {error}", "Take a file that `pyconsul kv export` has written."
        ) from None
    if not isinstance(rows, list):
        raise Refused(TITLE, "This is not a list of keys.", "Take a file that `pyconsul kv export` has written.")
    wanted: Wanted = {}
    for number, row in enumerate(rows, 1):
        key, value, flags = _entry(row, number)
        wanted[prefix + key] = (value, flags)
    return wanted


def _entry(row: Any, number: int) -> tuple[str, bytes, int]:
    fields = {str(name).lower(): value for name, value in row.items()} if isinstance(row, dict) else {}
    key, flags, value = fields.get("key"), fields.get("flags") or 0, fields.get("value") or ""
    if not isinstance(key, str) or not key:
        raise Refused(TITLE, f"Entry {number} has no key.")
    if not isinstance(flags, int) or isinstance(flags, bool) or not 0 <= flags < 1 << 64:
        raise Refused(TITLE, f"Entry {number} ({key}): its flags are not a number from 0 to {(1 << 64) - 1}.")
    try:
        return key, b64decode(value, validate=True), flags
    except (Base64Error, ValueError, TypeError):
        raise Refused(TITLE, f"Entry {number} ({key}): its value is not base64.") from None


def _wanted(visit: Visit) -> tuple[bytes, str, Wanted]:
    """Return the file of the form, its prefix, and the keys.  Raises Refused."""
    form = visit.form
    data, prefix = bytes_of(form.get("file") or form.get("text", "")), form.get("prefix", "")
    if not data.strip():
        raise Refused(TITLE, "No file was chosen.", "Choose a file, or paste its text.")
    wanted = parsed(data, prefix)
    limit = visit.config.limits.kv_max_value_size
    for key, (value, _) in wanted.items():
        if len(value) > limit:
            raise Refused(
                TITLE, f"The value of {key} has {len(value):,} bytes; at most {limit:,} are allowed.", status=413
            )
    return data, prefix, wanted


def _plan(visit: Visit, wanted: Wanted) -> plan.Plan:
    return plan.plan_of(wanted, reading.existing(visit.view, visit.caller, list(wanted)))


async def preview(visit: Visit) -> Page:
    """Show what an import changes."""
    folder = folder_of(visit)
    data, prefix, wanted = _wanted(visit)
    text = data.decode("utf-8", "replace")
    return plan.page(
        visit,
        _plan(visit, wanted),
        title="Import keys",
        folder=folder,
        sentences=("Keys that are not in the file stay as they are.",),
        button=f"Import {len(wanted):,} keys" if len(wanted) != 1 else "Import 1 key",
        command=f"pyconsul kv import {f'-prefix={shlex.quote(prefix)} ' if prefix else ''}@FILE",
        do="import",
        back=visit.links.folder(folder, "import"),
        carry=(("text", text), ("prefix", prefix)),
    )


async def import_(visit: Visit) -> Outcome | Page:
    """Write the keys that were shown; if they have changed meanwhile, show the new preview."""
    _, _, wanted = _wanted(visit)
    made = _plan(visit, wanted)
    if visit.form.get("mark") != made.mark:
        return await preview(visit)
    return await plan.carry_out(visit, made, TITLE, visit.links.key(folder_of(visit)))


ACTIONS = {"preview": Action(preview, harmless=True), "import": Action(import_)}
PAGES = (PageRoute("kv/import", show, ACTIONS), PageRoute("kv/{path*}/import", show, ACTIONS))
