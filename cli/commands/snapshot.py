"""`pyconsul snapshot`: save, inspect and restore the state of the servers.

The API: https://developer.hashicorp.com/consul/api-docs/snapshot
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from pyconsul.agent.common.byte_sizes import format_byte_size
from pyconsul.agent.common.files.atomic_file import DraftFile
from pyconsul.agent.common.options import number, switch, text
from pyconsul.agent.common.reasons import file_error
from pyconsul.agent.snapshot.errors import SnapshotError
from pyconsul.agent.snapshot.inspect import Inspection, decode, inspect
from pyconsul.cli.context import Context
from pyconsul.cli.errors import ApiError, CliError, UsageError, during
from pyconsul.cli.help.command import Command
from pyconsul.cli.http.client import Upload
from pyconsul.cli.output.progress import Progress
from pyconsul.cli.output.render import columns, confirm, document, format_flag

_PIECE = 65536


def save(context: Context) -> None:
    """Fetch and check a snapshot, then move it to its name."""
    path = _file(context)
    name = Path(path).name
    draft: DraftFile | None = None
    try:
        response, pieces = context.client.stream("GET", "/v1/snapshot")
        if response.status != 200:
            raise ApiError(response.status, b"".join(pieces).decode("utf-8", "replace"))
        size = response.headers.get("content-length", "")
        with Progress(context, "Saving", int(size) if size.isdecimal() else 0) as progress:
            draft = DraftFile(Path(path).parent, name, f"{name}.unverified.tmp")
            draft.fill(progress.counted(pieces))
        inspect(str(draft.path))
        draft.replace(Path(path))
    except SnapshotError as error:
        raise CliError(f"Error verifying snapshot file: {error}") from None
    except CliError as error:
        raise during("Error saving snapshot", error) from None
    except OSError as error:
        raise CliError(f"Error writing unverified snapshot file: {file_error(error)}") from None
    finally:
        if draft is not None:
            draft.discard()
    saved = {"File": path, "Index": response.index, "Size": os.path.getsize(path)}
    confirm(context, f"Saved and verified snapshot to index {response.index}", saved)


def restore(context: Context) -> None:
    """Send a snapshot; the agent checks it before it replaces its state."""
    try:
        with open(_file(context), "rb") as file, Progress(context, "Restoring", _size(file)) as progress:
            upload = Upload(_size(file), lambda: progress.counted(_pieces(file)))
            response = context.client.request("PUT", "/v1/snapshot", body=upload).checked()
    except OSError as error:
        raise CliError(f"Error opening snapshot file: {file_error(error)}") from None
    except CliError as error:
        raise during("Error restoring snapshot", error) from None
    left_out = response.headers.get("x-pyconsul-snapshot-left-out", "")
    confirm(context, "Restored snapshot", {"Restored": context.args.rest[0], "LeftOut": left_out})
    if left_out:
        context.note(f"Left out, since pyconsul has no use for it: {left_out}")


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    file.seek(0)
    while piece := file.read(_PIECE):
        yield piece


def show(context: Context) -> None:
    """Print the metadata of a snapshot file, and the number and size of its records."""
    details = context.args[_KVDETAILS]
    depth = context.args[_KVDEPTH] if details else None
    try:
        found = inspect(_file(context), depth, context.args[_KVFILTER])
    except (SnapshotError, OSError) as error:
        raise _unreadable(context, error) from None
    kinds, prefixes = _ordered(found.kinds), _ordered(found.prefixes)
    shown = {name: found.meta.get(name) for name in ("ID", "Size", "Index", "Term", "Version")}
    if document(context, _as_document(found, shown)):
        return
    rows = [[f" {name}", str(value if value is not None else "")] for name, value in shown.items()]
    for line in [*columns(rows, gap=6), "", *_table("Type", kinds)]:
        context.out(line)
    for line in ["", *_table("Key Name", prefixes)] if prefixes else []:
        context.out(line)


def _unreadable(context: Context, error: Exception) -> CliError:
    if isinstance(error, OSError):
        return CliError(f"Error opening snapshot file: {file_error(error)}")
    return CliError(f"Error reading snapshot: {error}")


def _ordered(found: dict[str, tuple[int, int]]) -> list[tuple[str, int, int]]:
    """(name, count, bytes), the largest first."""
    return sorted(((name, *numbers) for name, numbers in found.items()), key=lambda entry: (-entry[2], entry[0]))


def _as_document(found: Inspection, meta: dict[str, Any]) -> dict[str, Any]:
    def stats(numbers: dict[str, tuple[int, int]]) -> list[dict[str, Any]]:
        return [{"Name": name, "Sum": size, "Count": count} for name, count, size in _ordered(numbers)]

    return {
        "Meta": meta,
        "Stats": stats(found.kinds),
        "StatsKV": stats(found.prefixes) or None,
        "TotalSize": sum(size for _, size in found.kinds.values()),
        "TotalSizeKV": sum(size for _, size in found.prefixes.values()),
    }


def _table(title: str, entries: list[tuple[str, int, int]]) -> list[str]:
    rule = [" ----", "----", "----"]
    rows = [[f" {name}", str(count), format_byte_size(size)] for name, count, size in entries]
    total = format_byte_size(sum(size for _, _, size in entries))
    return columns([[f" {title}", "Count", "Size"], rule, *rows, rule, [" Total", "", total]], gap=6)


def show_contents(context: Context) -> None:
    """Print every record of a snapshot file as a line of JSON."""
    try:
        for line in decode(_file(context)):
            context.out(line)
    except (SnapshotError, OSError) as error:
        raise _unreadable(context, error) from None


def _file(context: Context) -> str:
    if len(context.args.rest) != 1:
        raise UsageError(f"Expected one FILE argument, got {len(context.args.rest)}")
    return context.args.rest[0]


_KVDETAILS = switch("kvdetails", "Also print the number and size of keys by prefix.")
_KVDEPTH = number("kvdepth", "With -kvdetails: number of `/`-separated parts of a prefix.", 2)
_KVFILTER = text("kvfilter", "With -kvdetails: count only keys that begin with this.")
COMMANDS = {
    "snapshot save": Command(save, format_flag(), usage="FILE"),
    "snapshot restore": Command(restore, format_flag(), usage="FILE"),
    "snapshot inspect": Command(
        show,
        _KVDETAILS,
        _KVDEPTH,
        _KVFILTER,
        format_flag("pretty"),
        usage="FILE",
        http=False,
    ),
    "snapshot decode": Command(show_contents, usage="FILE", http=False),
}
