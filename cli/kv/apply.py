"""Make planned changes of the KV store: in transactions that fail when a key has changed meanwhile."""

from __future__ import annotations

from collections.abc import Sequence

from pyconsul.agent.common.http_answer import quote
from pyconsul.cli.context import Context
from pyconsul.cli.errors import ApiError, CliError, during
from pyconsul.cli.exit_status import Status
from pyconsul.cli.kv.plan import BATCH, MAX_OCTETS, Change

#: Maximum number of deletions without an explicit flag.
MAX_PRUNE = 10
_TOO_LARGE = 413


def guard_deletions(limit: int, deletions: int) -> None:
    """Refuse to delete more keys than `-max-prune` allows. Raises CliError."""
    if deletions > limit:
        raise CliError(
            f"Error! {deletions} keys would be deleted, at most {limit} are allowed; nothing was written. "
            f"If that is meant, say -max-prune={deletions}."
        )


def counts(todo: list[Change]) -> str:
    """Return a text such as `2 created, 1 deleted`."""
    words = {"+": "created", "~": "changed", "-": "deleted"}
    found = {kind: sum(change.kind == kind for change in todo) for kind in words}
    return ", ".join(f"{count} {words[kind]}" for kind, count in found.items() if count)


def batches(todo: Sequence[Change]) -> list[list[Change]]:
    """Return the changes in as few transactions as the agent's limits allow, writes before deletions."""
    found: list[list[Change]] = []
    octets = MAX_OCTETS
    for change in sorted(todo, key=lambda change: change.kind == "-"):
        if octets + change.octets > MAX_OCTETS or len(found[-1]) == BATCH:
            found.append([])
            octets = 0
        found[-1].append(change)
        octets += change.octets
    return found


def apply_changes(context: Context, todo: list[Change]) -> None:
    """Apply changes in transactions, writes before deletions; each is made as a whole or not at all. Raises CliError."""
    waiting, done = batches(todo), 0
    while waiting:
        batch = waiting.pop(0)
        try:
            _apply(context, batch)
        except CliError as error:
            if isinstance(error, ApiError) and error.code == _TOO_LARGE and len(batch) > 1:  # a lower limit than usual
                half = len(batch) // 2
                waiting[:0] = batch[:half], batch[half:]
                continue
            made = f"{done} of {len(todo)} changes were made"
            if error.status is Status.CONFLICT:
                raise CliError(
                    f"Error! Another client has changed a key meanwhile; {made}. Run it again.", Status.CONFLICT
                ) from None
            raise during(f"Error! Failed writing; {made}", error) from None
        done += len(batch)


def _apply(context: Context, batch: list[Change]) -> None:
    """Make one transaction; a single value is sent as it is, since in base64 it might be too large. Raises CliError."""
    first = batch[0]
    if len(batch) > 1 or first.kind == "-":
        context.client.put("/v1/txn", body=[change.operation() for change in batch])
        return
    query = {"cas": str(first.index), "flags": str(first.flags)}
    written = context.client.request("PUT", "/v1/kv/" + quote(first.key), query, first.new).checked()
    if written.body.strip() == b"false":
        raise CliError(f"Error! Did not write to {first.key}: CAS failed", Status.CONFLICT)
