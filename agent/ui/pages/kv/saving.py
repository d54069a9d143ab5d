"""Saving a value: check-and-set, and a page with both versions after a conflict."""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass

from pyconsul.agent.model.kv import KVEntry
from pyconsul.agent.ui.contract import Outcome, Page, Refused
from pyconsul.agent.ui.forms import bytes_of
from pyconsul.agent.ui.pages.kv import reading, syntax, values
from pyconsul.agent.ui.pages.kv.paths import crumbs
from pyconsul.agent.ui.shown import plural, size
from pyconsul.agent.ui.visit import Visit

MAX_FLAGS = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Typed:
    """A value as a form sends it.  index: the ModifyIndex of the key when the form was opened, 0 for a new key."""

    value: bytes
    flags: int
    index: int


def index_of(visit: Visit) -> int:
    """Return the ModifyIndex that a form began with.  Raises Refused."""
    text = visit.form.get("index", "")
    if not (text.isascii() and text.isdigit()) or len(text) > 20:
        raise Refused("The form cannot be used", "It has no index.", "Open the page again.")
    return int(text)


def typed_of(visit: Visit, title: str, one: KVEntry | None) -> Typed:
    """Return what stands in a form.  one: what is stored now.  Raises Refused."""
    form = visit.form
    flags = form.get("flags", "").strip() or "0"
    if not (flags.isascii() and flags.isdigit()) or len(flags) > 20 or int(flags) > MAX_FLAGS:
        raise Refused(
            title, f"The flags {flags[:40]!r} cannot be stored.", f"Allowed are 0 to {MAX_FLAGS}.", flags="a number"
        )
    stored = b"" if one is None else one.value or b""
    try:
        if "mine" in form:
            value = b64decode(form["mine"], validate=True)
        elif form.get("file"):
            value = bytes_of(form["file"])
        else:
            value = values.edited(stored, form["value"]) if "value" in form else stored
    except Base64Error:
        raise Refused(title, "The form is damaged.", "Open the page again.") from None
    limit = visit.config.limits.kv_max_value_size
    if len(value) > limit:
        raise Refused(
            title,
            f"The value has {plural(len(value), 'byte')} ({size(len(value))}); at most {limit:,} are allowed ({size(limit)}).",
            "Make it smaller, or raise the setting limits.kv_max_value_size.",
            status=413,
            value="too large",
        )
    return Typed(value, int(flags), index_of(visit))


async def save(visit: Visit, key: str) -> Outcome | Page:
    """Write what stands in a form, unless the key has changed meanwhile: then both versions are shown."""
    title = f'"{key}" was not saved'
    one = await reading.entry(visit, key)
    typed = typed_of(visit, title, one)
    location = visit.links.key(key, "edit")
    if (
        one is not None
        and one.modify_index == typed.index
        and (one.value or b"", one.flags) == (typed.value, typed.flags)
    ):
        return Outcome(f"{key} is as it was: nothing was changed.", location)
    if typed.index == (one.modify_index if one is not None else 0):
        if await store(visit, key, typed, title):
            return Outcome(f"Saved {key}.", location, failures=await _mistakes(visit, key, typed.value))
        one = await reading.entry(visit, key)
    return conflict(visit, key, typed, one)


async def store(visit: Visit, key: str, wanted: Typed, failed: str) -> bool:
    """Write a key; return False if it has changed meanwhile.  Raises Refused."""
    if key.isprintable():
        params = {"cas": wanted.index, "flags": wanted.flags}
        answer = await visit.send("PUT", f"/v1/kv/{key}", wanted.value, failed=failed, headers=None, **params)
        return answer.text == "true"
    value = b64encode(wanted.value).decode()
    return await _operate(visit, failed, Verb="cas", Key=key, Value=value, Flags=wanted.flags, Index=wanted.index)


async def remove(visit: Visit, key: str, index: int, failed: str) -> bool:
    """Delete a key; return False if it has changed meanwhile.  Raises Refused."""
    if key.isprintable():
        return (await visit.send("DELETE", f"/v1/kv/{key}", cas=index, failed=failed)).text == "true"
    return await _operate(visit, failed, Verb="delete-cas", Key=key, Index=index)


async def _operate(visit: Visit, failed: str, **operation: object) -> bool:
    """Make one operation of a transaction: addresses of the API hold printable characters only."""
    try:
        await visit.send("PUT", "/v1/txn", [{"KV": operation}], failed=failed)
    except Refused as error:
        if error.status == 409:
            return False
        raise
    return True


async def _mistakes(visit: Visit, key: str, value: bytes) -> tuple[str, ...]:
    text = values.text_of(value)
    verdict = None
    if text is not None:
        verdict = await syntax.check(syntax.format_of(key, visit.form.get("syntax", "")), values.unified(text))
    return () if verdict is None or verdict.is_right else (f"The value is not right: {verdict.text}",)


def conflict(visit: Visit, key: str, typed: Typed, one: KVEntry | None) -> Page:
    """Return the page with both versions side by side."""
    theirs = b"" if one is None else one.value or b""
    texts = values.text_of(typed.value), values.text_of(theirs)
    is_text = texts[0] is not None and texts[1] is not None
    pairs = values.side_by_side(values.unified(texts[0] or ""), values.unified(texts[1] or "")) if is_text else None
    if typed.index == 0:
        what = "was created by somebody else meanwhile"
    else:
        what = "was deleted meanwhile" if one is None else "was changed by somebody else meanwhile"
    return Page(
        "kv_conflict.html",
        f"{key} {what}",
        "kv",
        {
            "key": key,
            "what": what,
            "crumbs": crumbs(visit.links, key),
            "mine": b64encode(typed.value).decode(),
            "typed": typed,
            "base": visit.form.get("base", str(typed.index)),
            "entry": one,
            "theirs": theirs,
            "pairs": pairs,
            "is_text": is_text,
            "address": visit.links.key(key, "edit"),
            "missing": visit.lacks("key:write", key),
        },
        status=409,
    )


async def merged(visit: Visit, key: str, one: KVEntry | None) -> tuple[dict[str, str], str]:
    """Return the fields of an editor that holds the changes of both, and a sentence about them."""
    title = f'"{key}" cannot be edited together'
    typed = typed_of(visit, title, one)
    mine = values.text_of(typed.value)
    theirs = values.text_of(b"" if one is None else one.value or b"")
    if mine is None or theirs is None:
        raise Refused(title, "One of the values is binary.", "Keep yours, or take the stored one.")
    base = await _base(visit, key, visit.form.get("base", str(typed.index)))
    text, conflicts = values.joined(base, values.unified(mine), values.unified(theirs))
    fields = {
        "value": text,
        "flags": str(typed.flags),
        "index": str(one.modify_index if one is not None else 0),
        "syntax": visit.form.get("syntax", ""),
    }
    if not conflicts:
        return fields, "The changes of both stand in the editor, and they do not overlap. Nothing is saved yet."
    places = "One place was" if conflicts == 1 else f"{conflicts} places were"
    return fields, f"{places} changed by both: look for {values.MINE} and {values.THEIRS}. Nothing is saved yet."


async def _base(visit: Visit, key: str, index: str) -> str | None:
    """Return the text that both began with, if the history has it."""
    answer = await visit.ask("GET", f"/v1/pyconsul/kv-history/{key}", at=index)
    found = answer.json() if answer.ok else []
    text = values.text_of(b64decode(found[0]["Value"] or "")) if found else None
    return None if text is None else values.unified(text)
