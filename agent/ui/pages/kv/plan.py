"""Changes of several keys: what exactly they are, and their transactions.

Each change is made under the condition that its key is still as it was seen, so that nothing is overwritten unseen.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from pyconsul.agent.model.kv import KVEntry
from pyconsul.agent.ui.contract import Outcome, Page, Refused
from pyconsul.agent.ui.pages.kv.paths import crumbs
from pyconsul.agent.ui.shown import plural
from pyconsul.agent.ui.visit import Visit

BATCH = 64  # operations of one transaction, Consul's limit
MAX_CHANGES = 2000  # that one form makes
LISTED = 500  # that a preview lists
WORDS = {"+": "create", "~": "change", "-": "delete"}
DONE = {"+": "created", "~": "changed", "-": "deleted"}


@dataclass(frozen=True, slots=True)
class Change:
    """One key that changes.  kind: + ~ or -.   index: its ModifyIndex now, 0 if it does not exist."""

    kind: str
    key: str
    value: bytes
    flags: int
    index: int
    size: int

    def operation(self) -> dict[str, Any]:
        """Return the operation of a transaction, which fails when the key has changed since."""
        if self.kind == "-":
            return {"KV": {"Verb": "delete-cas", "Key": self.key, "Index": self.index}}
        value = b64encode(self.value).decode()
        return {"KV": {"Verb": "cas", "Key": self.key, "Value": value, "Flags": self.flags, "Index": self.index}}


@dataclass(frozen=True, slots=True)
class Plan:
    """Changes in the order in which they are made.  unchanged: keys that are already as they should be.

    mark: stands for the changes; one that was shown differs from another.
    """

    changes: tuple[Change, ...]
    unchanged: int = 0

    @property
    def mark(self) -> str:
        """Return what stands for exactly these changes."""
        digest = hashlib.blake2b(digest_size=12)
        for one in self.changes:
            digest.update(msgspec.json.encode((one.kind, one.key, one.flags, one.index, one.value)))
        return digest.hexdigest()

    @property
    def counts(self) -> str:
        """Return a text such as `2 to create, 1 to delete`."""
        return self._text("{} to {}", WORDS)

    @property
    def done(self) -> str:
        """Return a text such as `2 created, 1 deleted`."""
        return self._text("{} {}", DONE)

    def _text(self, form: str, words: Mapping[str, str]) -> str:
        found = {kind: sum(one.kind == kind for one in self.changes) for kind in words}
        parts = [form.format(f"{count:,}", words[kind]) for kind, count in found.items() if count]
        return ", ".join(parts) or "nothing changes"

    def transactions(self, max_bytes: int) -> list[list[Change]]:
        """Return the changes of each transaction.  max_bytes: of its request."""
        return list(_batches(self.changes, max_bytes))


def _batches(changes: Iterable[Change], max_bytes: int) -> Iterator[list[Change]]:
    batch: list[Change] = []
    taken = 0
    for one in changes:
        size = 200 + 4 * len(one.value) // 3 + 6 * len(one.key)
        if batch and (len(batch) == BATCH or taken + size > max_bytes):
            yield batch
            batch, taken = [], 0
        batch.append(one)
        taken += size
    if batch:
        yield batch


def write(key: str, value: bytes, flags: int, old: KVEntry | None) -> Change | None:
    """Return the change that gives a key a value; None if it has it."""
    if old is None:
        return Change("+", key, value, flags, 0, 0)
    if (old.value or b"", old.flags) == (value, flags):
        return None
    return Change("~", key, value, flags, old.modify_index, len(old.value or b""))


def delete(old: KVEntry) -> Change:
    """Return the change that deletes a key."""
    return Change("-", old.key, b"", old.flags, old.modify_index, len(old.value or b""))


def plan_of(wanted: Mapping[str, tuple[bytes, int]], old: Mapping[str, KVEntry], gone: Iterable[KVEntry] = ()) -> Plan:
    """Return the plan that gives keys their values and flags, and deletes others.  old: what the keys are now, if they exist."""
    writes = [write(key, value, flags, old.get(key)) for key, (value, flags) in wanted.items()]
    changes = [one for one in writes if one is not None]
    return Plan((*changes, *map(delete, gone)), unchanged=len(writes) - len(changes))


def moved(entries: Sequence[KVEntry], source: str, target: str, old: Mapping[str, KVEntry], *, keep: bool) -> Plan:
    """Return the plan that copies keys from one prefix to another, or moves them.  Each key is deleted right after its copy.

    old: what exists at the target now.
    """
    changes: list[Change] = []
    unchanged = 0
    targets = {target + entry.key[len(source) :] for entry in entries}
    for entry in entries:
        key = target + entry.key[len(source) :]
        one = write(key, entry.value or b"", entry.flags, old.get(key))
        changes += [one] if one is not None else []
        unchanged += one is None
    if not keep:
        changes += [delete(entry) for entry in entries if entry.key not in targets]
    changes.sort(key=lambda one: (one.key[len(source if one.kind == "-" else target) :], one.kind == "-"))
    return Plan(tuple(changes), unchanged)


def page(
    visit: Visit,
    made: Plan,
    *,
    title: str,
    folder: str,
    sentences: Sequence[str],
    button: str,
    command: str,
    do: str,
    back: str,
    is_destructive: bool = False,
    carry: Sequence[tuple[str, str]] = (),
    total: int = 0,
) -> Page:
    """Return the page that shows exactly what changes, with the button that does it.

    total: of a tree that is deleted in one operation, of which the plan holds the first keys.
    """
    transactions = 1 if total else len(made.transactions(visit.config.limits.txn_max_req_len))
    count = total or len(made.changes)
    forbidden = next((text for one in made.changes if (text := visit.lacks("key:write", one.key))), "")
    return Page(
        "kv_plan.html",
        title,
        "kv",
        {
            "title": title,
            "crumbs": crumbs(visit.links, folder),
            "sentences": sentences,
            "plan": made,
            "changes": made.changes[:LISTED],
            "more": max(0, count - LISTED),
            "counts": f"{total:,} to delete" if total else made.counts,
            "mark": str(total) if total else made.mark,
            "transactions": transactions,
            "too_many": MAX_CHANGES if count > MAX_CHANGES and not total else 0,
            "button": button,
            "command": command,
            "do": do,
            "back": back,
            "is_destructive": is_destructive,
            "carry": carry,
            "missing": forbidden,
        },
    )


def require_shown(visit: Visit, mark: str) -> None:
    """Raises Refused if other changes were shown to the one who has agreed.  mark: of the changes as they are now."""
    if visit.form.get("mark") != mark:
        raise Refused(
            "Nothing was changed: some of these keys have changed since the preview",
            "",
            "Here is the new preview; look at it once more.",
            status=409,
        )


def require_small(count: int, what: str, command: str) -> None:
    """Raises Refused for more changes than one form makes."""
    if count > MAX_CHANGES:
        raise Refused(
            f"Too many keys to {what} here",
            f"The limit is {MAX_CHANGES:,} changes.",
            f"Take a smaller folder, or use the command line: {command}",
        )


async def carry_out(visit: Visit, plan: Plan, failed: str, location: str) -> Outcome:
    """Make the changes of a plan.  Raises Refused if nothing was changed; what is half done is said in the outcome."""
    require_small(len(plan.changes), "change", "pyconsul kv import, kv delete -recurse")
    batches = plan.transactions(visit.config.limits.txn_max_req_len)
    made = 0
    for number, batch in enumerate(batches):
        try:
            await visit.send("PUT", "/v1/txn", [one.operation() for one in batch], failed=failed)
        except Refused as error:
            reason = reason_of(error.reason, batch)
            if not made:
                raise Refused(failed, reason, error.advice or "Nothing was changed.", status=error.status) from None
            rest = plural(len(plan.changes) - made, "change")
            return Outcome(
                f"Only {made:,} of {len(plan.changes):,} changes were made, in {number} of {len(batches)} transactions.",
                location,
                failures=(f"{rest} were not made: {reason}", f"The first of them: {batch[0].kind} {batch[0].key}"),
            )
        made += len(batch)
    several = f" in {len(batches)} transactions" if len(batches) > 1 else ""
    return Outcome(f"{plan.done[:1].upper()}{plan.done[1:]}{several}.", location)


def reason_of(text: str, batch: Sequence[Change]) -> str:
    """Return the errors of a transaction in words that name the keys."""
    try:
        errors = msgspec.json.decode(text)["Errors"]
        found = [(batch[error["OpIndex"]].key, error["What"]) for error in errors]
    except (msgspec.DecodeError, TypeError, KeyError, IndexError):
        return text
    parts = [
        f"{key}: " + ("it has changed meanwhile" if "index is stale" in what or "exists" in what else what)
        for key, what in found[:5]
    ]
    return "; ".join(parts) + (f"; and {len(found) - 5} more" if len(found) > 5 else "")
