"""Lock delays: for how long a key cannot be locked after its holder's session ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec.structs import replace

from pyconsul.agent.state.contract import View
from pyconsul.agent.state.schemas import LOCK_DELAYS
from pyconsul.agent.state.write_txn import WriteTxn


def resumed(rows: Iterable[tuple[str, Any]], now: float) -> Iterator[tuple[str, Any]]:
    """Stored rows, (table name, row) each, of which no lock delay lasts longer than it was to last in all.

    `now` is the time of the start; it may be earlier than the rows were written, when the clock was set back meanwhile.
    """
    for table, row in rows:
        if table == LOCK_DELAYS.name:
            yield table, replace(row, until=min(row.until, now + row.delay))
        else:
            yield table, row


def has_ended(view: View, now: float) -> bool:
    """Whether there are lock delays that can be dropped."""
    return any(row.until <= now for row in view[LOCK_DELAYS])


def drop_ended(txn: WriteTxn) -> None:
    """Drop the lock delays that have ended."""
    for row in [row for row in txn[LOCK_DELAYS] if row.until <= txn.now]:
        txn.delete(LOCK_DELAYS, row.key)
