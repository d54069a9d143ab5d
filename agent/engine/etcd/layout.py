"""The keys in etcd.  Keys are bytes; `P` is the prefix of the cluster, `E` the current epoch.

| key | value |
| --- | --- |
| P/epoch | E: the current epoch; a restore writes another one and moves this pointer |
| P/E/state/index | first and last index of the last commit, in decimal, and its time (Unix seconds) |
| P/E/state/commits/SERVER | ID of the last commit of that server, in decimal; it reads this row when a response was lost |
| P/E/state/rows/TABLE/KEY | a row (MessagePack); KEY as `state.codec.stored_key` has it |
| P/E/state/indexes/NAME | a named index, in decimal |
| P/E/state/history | coverage of the history of keys (`Coverage`, MessagePack) |
| P/E/state/large | ID of a large commit that is being carried out: see `large` |
| P/E/staged/ID/NUMBER | its operations (MessagePack) |
| P/E/history-floor | index up to which changes of keys were dropped, since they were too old or too many, in decimal |
| P/E/history/KEY NUL SUFFIX | a change of a key of the KV store: see `history.changes` |

Servers watch `P/E/state/`.  Each commit writes `index` in the same transaction as its rows.
"""

from __future__ import annotations

POINTER = "epoch"


def end_of(prefix: bytes) -> bytes:
    """Return the end of the range of all keys that begin with a prefix (etcd's `range_end`).  The prefix ends with no 0xff."""
    return prefix[:-1] + bytes([prefix[-1] + 1])


class Layout:
    """The keys of one epoch."""

    __slots__ = (
        "epoch", "history", "history_coverage", "history_floor", "index", "large", "named", "own_commit", "pointer", "root",
        "rows", "staged", "state",
    )  # fmt: skip

    def __init__(self, prefix: str, epoch: str, server: str) -> None:
        """prefix: of the cluster, with or without a slash at its end.  server: ID of this server."""
        base = prefix.rstrip("/").encode()
        self.epoch = epoch
        self.pointer = pointer_key(prefix)
        self.root = b"%s/%s/" % (base, epoch.encode())
        self.state = self.root + b"state/"
        self.index = self.state + b"index"
        self.own_commit = self.state + b"commits/" + server.encode()
        self.large = self.state + b"large"
        self.staged = self.root + b"staged/"
        self.rows = self.state + b"rows/"
        self.named = self.state + b"indexes/"
        self.history_coverage = self.state + b"history"
        self.history = self.root + b"history/"
        self.history_floor = self.root + b"history-floor"

    def staged_chunks(self, name: str) -> bytes:
        """Return the prefix of the staged operations of a large commit."""
        return b"%s%s/" % (self.staged, name.encode())

    def staged_chunk(self, name: str, number: int) -> bytes:
        """Return the key of one chunk of staged operations."""
        return self.staged_chunks(name) + b"%08d" % number

    def row(self, table: str, stored_key: str) -> bytes:
        """Return the key of a row."""
        return b"%s%s/%s" % (self.rows, table.encode(), stored_key.encode())

    def split_row(self, key: bytes) -> tuple[str, str]:
        """Return table and stored key of the key of a row."""
        table, _, stored_key = key[len(self.rows) :].partition(b"/")
        return table.decode(), stored_key.decode()

    def named_index(self, name: str) -> bytes:
        """Return the key of a named index."""
        return self.named + name.encode()


def pointer_key(prefix: str) -> bytes:
    """Return the key of the pointer to the current epoch."""
    return b"%s/%s" % (prefix.rstrip("/").encode(), POINTER.encode())
