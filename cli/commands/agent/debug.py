"""`pyconsul debug`: record an agent's state and metrics for a while, in an archive for those who help with a problem.

Tokens never get into it: the agent's own answers have none, and the environment is not recorded.
"""

from __future__ import annotations

import io
import json
import tarfile
import threading
import time
from contextlib import suppress

from pyconsul.agent.common.options import seconds, switch, text, texts
from pyconsul.agent.common.reasons import reason
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, UsageError, during
from pyconsul.cli.help.command import Command
from pyconsul.cli.http.client import Client
from pyconsul.cli.output.render import confirm, format_flag

#: target: (path of the API, captured again at each interval)
_TARGETS = {
    "agent": ("/v1/agent/self", False),
    "host": ("/v1/agent/host", False),
    "members": ("/v1/agent/members", False),
    "metrics": ("/v1/agent/metrics", True),
    "logs": ("/v1/agent/monitor", False),
}


def debug(context: Context) -> None:
    """Write `<output>.tar.gz`. Raises CliError when the agent does not answer at all."""
    args = context.args
    if args.rest:
        raise UsageError("Too many arguments, expected 0")
    wanted = args[_CAPTURE] or list(_TARGETS)
    if unknown := [name for name in wanted if name not in _TARGETS]:
        raise UsageError(f"cannot capture {', '.join(unknown)}: use {', '.join(_TARGETS)}")
    duration, interval = args[_DURATION], args[_INTERVAL]
    if duration < interval or interval <= 0:
        raise UsageError("-duration must be at least -interval, and both more than nothing")
    try:
        context.client.get("/v1/agent/self")
    except CliError as error:
        raise during("Error querying target agent", error) from None
    stamp = int(time.time())
    output = args[_OUTPUT] or f"consul-debug-{stamp}"
    context.note(f"Capturing {', '.join(wanted)} for {duration:g}s, every {interval:g}s")
    files = _capture(context, wanted, duration, interval)
    path = f"{output}.tar.gz"
    try:
        _archive(path, output.rpartition("/")[2], files, stamp)
    except OSError as error:
        raise CliError(f"Error writing {path}: {reason(error)}") from None
    confirm(context, f"Saved debug archive: {path}", {"File": path, "Captured": wanted})


def _capture(context: Context, wanted: list[str], duration: float, interval: float) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    end = time.monotonic() + duration
    log: list[bytes] = []
    if "logs" in wanted:
        threading.Thread(target=_follow_log, args=(context.client.copy(), log), daemon=True).start()
    for name in wanted:
        path, repeated = _TARGETS[name]
        if not repeated and name != "logs":
            files[f"{name}.json"] = _ask(context, path)
    while True:
        for name in wanted:
            if _TARGETS[name][1]:
                files[f"{name}.json"] = files.get(f"{name}.json", b"") + _ask(context, _TARGETS[name][0]) + b"\n"
        left = end - time.monotonic()
        if left <= 0:
            break
        time.sleep(min(interval, left))
    if "logs" in wanted:
        files["consul.log"] = b"".join(log)
    files["index.json"] = json.dumps({"Targets": wanted, "Duration": duration, "Interval": interval}).encode()
    return files


def _ask(context: Context, path: str) -> bytes:
    try:
        return context.client.request("GET", path).checked().body
    except CliError as error:
        return json.dumps({"Error": str(error)}).encode()


def _follow_log(client: Client, log: list[bytes]) -> None:
    with suppress(CliError):
        _, pieces = client.stream("GET", "/v1/agent/monitor", {"loglevel": "debug"})
        log.extend(pieces)


def _archive(path: str, folder: str, files: dict[str, bytes], stamp: int) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(data)
            member.mtime = stamp
            member.mode = 0o600
            archive.addfile(member, io.BytesIO(data))


_DURATION = seconds("duration", "Duration of the recording. The default is 5m.", 300.0)
_INTERVAL = seconds("interval", "Interval between two captures of metrics. The default is 30s.", 30.0)
_OUTPUT = text("output", "Path of the archive, without .tar.gz.", metavar="path")
_CAPTURE = texts("capture", f"What to record: {', '.join(_TARGETS)}; the default is all; may be repeated.")
_ARCHIVE = switch("archive", "Accepted for compatibility; the recording is always an archive.", True)
COMMANDS = {
    "debug": Command(
        debug,
        _DURATION,
        _INTERVAL,
        _OUTPUT,
        _CAPTURE,
        _ARCHIVE,
        format_flag(),
    ),
}
