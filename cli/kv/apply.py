"""Make planned changes of the KV store: in transactions that fail when a key has changed meanwhile."""

from __future__ import annotations

from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, during
from pyconsul.cli.exit_status import Status
from pyconsul.cli.kv.plan import BATCH, Change

#: Maximum number of deletions without an explicit flag.
MAX_PRUNE = 10


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


def apply_changes(context: Context, todo: list[Change]) -> None:
    """Apply changes in transactions, writes before deletions; each is made as a whole or not at all. Raises CliError."""
    ordered = sorted(todo, key=lambda change: change.kind == "-")
    for start in range(0, len(ordered), BATCH):
        batch = ordered[start : start + BATCH]
        try:
            context.client.put("/v1/txn", body=[change.operation() for change in batch])
        except CliError as error:
            done = f"{start} of {len(ordered)} changes were made"
            if error.status is Status.CONFLICT:
                raise CliError(
                    f"Error! A key was changed by somebody else meanwhile; {done}. Run it again.", Status.CONFLICT
                ) from None
            raise during(f"Error! Failed writing; {done}", error) from None
