"""Copy, move, rename or delete a key or a tree: first what exactly changes, then the changes."""

from __future__ import annotations

import shlex

from pyconsul.agent.model.kv import KVEntry
from pyconsul.agent.state.schemas import KV
from pyconsul.agent.ui.contract import Action, Missing, Outcome, Page, PageRoute, Refused
from pyconsul.agent.ui.pages.kv import plan, reading
from pyconsul.agent.ui.pages.kv.paths import crumbs, folder_of, key_of, parent_of
from pyconsul.agent.ui.shown import plural
from pyconsul.agent.ui.visit import Visit

KINDS = (("move", "Move or rename"), ("copy", "Copy"))
DONE = {"move": "moved", "copy": "copied", "delete": "deleted"}


def _is_tree(visit: Visit) -> bool:
    return not visit.request.target.partition(b"?")[0].endswith(b"/move")


def _source(visit: Visit) -> str:
    """Return the key, or the folder."""
    return folder_of(visit) if _is_tree(visit) else key_of(visit)


async def show(visit: Visit) -> Page:
    """Show the form; with a target, what changes."""
    source, kind = _source(visit), visit.params.get("kind", "move")
    target = visit.params.get("to", "")
    if kind == "delete" or target:
        return await _preview(visit, source, kind, target)
    entries = await _entries(visit, source, f"pyconsul kv {kind} SOURCE TARGET")
    tree = _is_tree(visit)
    return Page(
        "kv_transfer.html",
        f"Move or copy {source or 'all keys'}",
        "kv",
        {
            "source": source,
            "is_tree": tree,
            "count": len(entries),
            "crumbs": crumbs(visit.links, source),
            "kinds": KINDS,
            "kind": kind,
            "back": visit.links.key(source, *(() if tree else ("edit",))),
        },
    )


async def _entries(visit: Visit, source: str, command: str) -> list[KVEntry]:
    """Return the keys that are moved or deleted.  command: for trees that are too large.  Raises Missing, Refused."""
    if not _is_tree(visit):
        one = await reading.entry(visit, source)
        found = [] if one is None else [one]
    else:
        found = await reading.all_below(visit, source, plan.MAX_CHANGES, "change", command)
    if not found:
        raise Missing(f'Key "{source}" does not exist', "", "It may have been deleted or moved meanwhile.")
    return found


async def _plan(visit: Visit, source: str, kind: str, target: str) -> plan.Plan:
    """Return what changes.  Raises Missing, Refused."""
    entries = await _entries(visit, source, _command(kind, source, target, is_tree=_is_tree(visit)))
    if kind == "delete":
        return plan.plan_of({}, {}, entries)
    if _is_tree(visit) and not target.endswith("/"):
        target += "/"
    if target == source:
        raise Refused("Nothing would change", "The new name is the old one.", "Type another name.", to="the same name")
    keys = [target + one.key[len(source) :] for one in entries]
    for key in keys:
        if not key:
            raise Refused("A key needs a name", "", "Type another name.", to="empty")
    made = plan.moved(entries, source, target, reading.existing(visit.view, visit.caller, keys), keep=kind == "copy")
    overlap = {one.key for one in entries} & set(keys)
    if overlap and len(made.transactions(visit.config.limits.txn_max_req_len)) > 1:
        raise Refused(
            "This cannot be done safely",
            f'"{source}" and "{target}" overlap, and the changes do not fit into one transaction.',
            "Go by way of a third folder.",
        )
    return made


async def _preview(visit: Visit, source: str, kind: str, target: str) -> Page:
    tree = _is_tree(visit)
    back = visit.links.folder(source, "transfer") if tree else visit.links.key(source, "move")
    if kind == "delete" and _is_large(visit, source):
        return await _preview_large(visit, source)
    made = await _plan(visit, source, kind, target)
    command = _command(kind, source, target, is_tree=tree)
    name = source or "all keys"
    what = plural(sum(one.kind == "-" for one in made.changes) or len(made.changes) + made.unchanged, "key")
    overwritten = sum(one.kind == "~" for one in made.changes)
    sentences = []
    if overwritten:
        sentences.append(f"{plural(overwritten, 'key')} at the target will be overwritten: marked with ~.")
    if locked := sum(bool(one.session) for one in await _entries(visit, source, command)):
        sentences.append(f"Locks on {plural(locked, 'key')} of {name} stay behind: a lock does not move with its key.")
    if kind == "delete":
        return plan.page(
            visit, made, title=f"Delete {name}", folder=source,
            sentences=(*sentences, "Keys without permission to read them are not deleted."),
            button=f"Delete {what} below {name}" if tree else f"Delete {name}",
            command=command, do="apply", back=visit.links.key(source), is_destructive=True,
        )  # fmt: skip
    verb = "Copy" if kind == "copy" else "Move"
    end = "" if not tree or target.endswith("/") else "/"
    return plan.page(
        visit, made, title=f"{verb} {name} to {target}{end}", folder=source, sentences=sentences,
        button=f"{verb} {what} to {target}{end}", command=command, do="apply", back=back,
    )  # fmt: skip


def _command(kind: str, source: str, target: str, *, is_tree: bool) -> str:
    """Return the command that does the same; empty for names that it takes otherwise."""
    if kind == "delete":
        return f"pyconsul kv delete {'-recurse ' if is_tree else ''}{shlex.quote(source)}"
    if target.startswith("/") or source.startswith("/") or (not is_tree and "/" in (source[-1:], target[-1:])):
        return ""
    names = (shlex.quote(name or "/") for name in (source, target))
    return f"pyconsul kv {'copy' if kind == 'copy' else 'move'} -apply {' '.join(names)}"


def _is_large(visit: Visit, source: str) -> bool:
    """Return whether a tree has more keys than can be deleted one by one."""
    return _is_tree(visit) and visit.view[KV].count(source) > plan.MAX_CHANGES


async def _preview_large(visit: Visit, source: str) -> Page:
    """Show what the deletion of a large tree deletes, in one operation."""
    visit.caller.require_tree(source)
    first = await reading.below(visit, source, plan.LISTED)
    name, total = source or "all keys", visit.view[KV].count(source)
    return plan.page(
        visit, plan.plan_of({}, {}, first.rows), title=f"Delete {name}", folder=source, total=total,
        sentences=("Everything below is deleted in one operation, also keys that are created until then.",),
        button=f"Delete {total:,} keys below {name}", command=f"pyconsul kv delete -recurse {shlex.quote(source)}",
        do="apply", back=visit.links.key(source), is_destructive=True,
    )  # fmt: skip


async def _delete_large(visit: Visit, source: str) -> Outcome:
    total = visit.view[KV].count(source)
    plan.require_shown(visit, str(total))
    operation = {"KV": {"Verb": "delete-tree", "Key": source}}
    await visit.send("PUT", "/v1/txn", [operation], failed=f"{source or 'All keys'} was not deleted")
    return Outcome(f"{total:,} deleted.", visit.links.key(parent_of(source)))


async def apply(visit: Visit) -> Outcome:
    """Make the changes that were shown."""
    source, kind, target = _source(visit), visit.params.get("kind", "move"), visit.params.get("to", "")
    if kind == "delete" and _is_large(visit, source):
        return await _delete_large(visit, source)
    made = await _plan(visit, source, kind, target)
    plan.require_shown(visit, made.mark)
    if kind == "delete":
        location = visit.links.key(parent_of(source))
    elif _is_tree(visit):
        location = visit.links.key(target if target.endswith("/") else target + "/")
    else:
        location = visit.links.key(target, "edit")
    return await plan.carry_out(visit, made, f"{source or 'All keys'} was not {DONE.get(kind, 'changed')}", location)


ACTIONS = {"apply": Action(apply)}
PAGES = (
    PageRoute("kv/{path*}/move", show, ACTIONS),
    PageRoute("kv/transfer", show, ACTIONS),
    PageRoute("kv/{path*}/transfer", show, ACTIONS),
)
