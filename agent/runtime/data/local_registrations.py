"""The files of the agent's own services and checks, in its data folder."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from pyconsul.agent.engine.embedded.engine import EmbeddedEngine
from pyconsul.agent.engine.embedded.opening import ACCEPT_ALL, mark_path
from pyconsul.agent.engine.files import FilesEngine, FileTable
from pyconsul.agent.engine.writer import Writer
from pyconsul.agent.state.schemas import INDEXES
from pyconsul.agent.state.store import Store
from pyconsul.agent.state.write_txn import WriteTxn
from pyconsul.agent.sync import local_files
from pyconsul.agent.sync.local_rows import ALL, CHECKS, REPORTS, SERVICES
from pyconsul.agent.sync.local_store import LocalStore

# A check without its service is dropped at a start, so a service gets its file after its checks have theirs.
TABLES = (
    FileTable(REPORTS, local_files.REPORTS_FOLDER, local_files.encode_report, local_files.decode_report),
    FileTable(CHECKS, local_files.CHECKS_FOLDER, local_files.encode_check, local_files.decode_check),
    FileTable(SERVICES, local_files.SERVICES_FOLDER, local_files.encode_service, local_files.decode_service),
)
OLD_FILE = "local.db"  # in which earlier versions kept the rows

log = logging.getLogger("agent")


async def open_store(folder: Path, stack: AsyncExitStack) -> tuple[list[tuple[str, Any]], LocalStore]:
    """Return the rows that the last run stored, and the store for new ones; the stack finishes its writes.

    Raises EngineError.
    """
    engine = FilesEngine(folder, TABLES)
    old = folder / OLD_FILE
    if old.exists():
        await _upgrade(old, engine)
    loaded = await engine.load()
    rows = list(loaded.rows)
    writer = Writer(Store(rows, loaded.index, ALL), engine)
    stack.push_async_callback(writer.drain)

    async def commit(operation: Callable[[WriteTxn], None]) -> None:
        await writer.commit(operation)

    return [(table, row) for table, row in rows if table != INDEXES.name], LocalStore(commit)


async def _upgrade(old: Path, engine: FilesEngine) -> None:
    """Write the rows of an earlier version's file as files; killed on the way, it begins again.  Raises EngineError."""
    source = EmbeddedEngine(old, ALL, accepted=ACCEPT_ALL)
    rows = [(table, row) for table, row in (await source.load()).rows if table != INDEXES.name]
    await source.close()
    schemas = {schema.name: schema for schema in ALL}

    def put(txn: WriteTxn) -> None:
        for table, row in rows:
            txn.put(schemas[table], row)

    await Writer(Store(schemas=ALL), engine).commit(put)
    for path in (old, old.with_name(old.name + "-wal"), old.with_name(old.name + "-shm"), mark_path(old)):
        path.unlink(missing_ok=True)
    log.info("moved the services and checks of %s to files: rows=%d", old, len(rows))
