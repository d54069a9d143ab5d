"""`pyconsul snapshot`: save the state of the servers, look into it, put it back.

The API: https://developer.hashicorp.com/consul/api-docs/snapshot
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from pyconsul.cli.archive import byte_size, inspect
from pyconsul.cli.client import Upload
from pyconsul.cli.command import Command
from pyconsul.cli.context import Context
from pyconsul.cli.errors import ApiError, CliError, UsageError, during
from pyconsul.cli.flag import number, switch, text
from pyconsul.cli.progress import Progress
from pyconsul.cli.render import columns, confirm, document, format_flag

_PIECE = 65536


def save(context: Context) -> None:
    """Fetch a snapshot, check it, and only then give it its name."""
    path = _file(context)
    temporary = f"{path}.{os.getpid()}.unverified"
    try:
        response, pieces = context.client.stream("GET", "/v1/snapshot")
        if response.status != 200:
            raise ApiError(response.status, b"".join(pieces).decode("utf-8", "replace"))
        size = response.headers.get("content-length", "")
        with Progress(context, "Saving", int(size) if size.isdecimal() else 0) as progress:
            _write(temporary, progress.counted(pieces))
        inspect(temporary)
        os.replace(temporary, path)
    except CliError as error:
        raise during("Error saving snapshot", error) from None
    except OSError as error:
        raise CliError(f"Error creating snapshot file: {error}") from None
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)
    saved = {"File": path, "Index": response.index, "Size": os.path.getsize(path)}
    confirm(context, f"Saved and verified snapshot to index {response.index}", saved)


def _write(path: str, pieces: Iterable[bytes]) -> None:
    # A snapshot holds every secret of the cluster.
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        for piece in pieces:
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())


def restore(context: Context) -> None:
    """Send a snapshot; the agent checks it before it gives up what it has."""
    try:
        with open(_file(context), "rb") as file, Progress(context, "Restoring", _size(file)) as progress:
            upload = Upload(_size(file), lambda: progress.counted(_pieces(file)))
            context.client.request("PUT", "/v1/snapshot", body=upload).checked()
    except OSError as error:
        raise CliError(f"Error opening snapshot file: {error}") from None
    except CliError as error:
        raise during("Error restoring snapshot", error) from None
    confirm(context, "Restored snapshot", {"Restored": context.args.rest[0]})


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    file.seek(0)
    while piece := file.read(_PIECE):
        yield piece


def show(context: Context) -> None:
    """Print what a snapshot file says of itself."""
    meta = inspect(_file(context))
    stats = meta.get("Stats") or []
    total = sum(entry["Sum"] for entry in stats)
    shown = {name: meta.get(name) for name in ("ID", "Size", "Index", "Term", "Version")}
    if document(context, {"Meta": shown, "Stats": stats, "StatsKV": None, "TotalSize": total, "TotalSizeKV": 0}):
        return
    rows = [[f" {name}", str(value if value is not None else "")] for name, value in shown.items()]
    for line in [*columns(rows, gap=6), "", *_stats(stats, total)]:
        context.out(line)


def _stats(stats: list[dict[str, Any]], total: int) -> list[str]:
    rule = [" ----", "----", "----"]
    ordered = sorted(stats, key=lambda entry: (-entry["Sum"], entry["Name"]))
    rows = [[f" {entry['Name']}", str(entry["Count"]), byte_size(entry["Sum"])] for entry in ordered]
    return columns([[" Type", "Count", "Size"], rule, *rows, rule, [" Total", "", byte_size(total)]], gap=6)


def _file(context: Context) -> str:
    if len(context.args.rest) != 1:
        raise UsageError(f"Expected one FILE argument, got {len(context.args.rest)}")
    return context.args.rest[0]


COMMANDS = {
    "snapshot save": Command(save, format_flag(), usage="FILE"),
    "snapshot restore": Command(restore, format_flag(), usage="FILE"),
    "snapshot inspect": Command(
        show,
        switch("kvdetails", "Accepted; pyconsul's snapshots keep no numbers for single prefixes."),
        number("kvdepth", "Accepted, as -kvdetails is.", 2),
        text("kvfilter", "Accepted, as -kvdetails is."),
        format_flag("pretty"),
        usage="FILE",
        http=False,
    ),
}
