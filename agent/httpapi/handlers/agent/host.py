"""/v1/agent/host: the machine an agent runs on (https://developer.hashicorp.com/consul/api-docs/agent#retrieve-host-information)."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import Response, json_response
from pyconsul.agent.httpapi.core.router import Local, Route


def show_host(context: Context, request: Request) -> Response:
    """Memory, processors, system and disk; bytes and seconds."""
    return json_response(
        {
            "Memory": _memory(),
            "CPU": _processors(),
            "Host": _system(),
            "Disk": _disk(context.config.data_dir or "/"),
            "CollectionTime": time.time_ns(),
            "Errors": None,
        }
    )


def _memory() -> dict[str, Any]:
    found = {}
    with suppress(OSError, ValueError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            name, _, amount = line.partition(":")
            found[name] = int(amount.split()[0]) * 1024  # the file counts in KiB
    total, available = found.get("MemTotal", 0), found.get("MemAvailable", 0)
    used = total - available
    percent = 100 * used / total if total else 0.0
    return {
        "total": total,
        "available": available,
        "used": used,
        "usedPercent": percent,
        "free": found.get("MemFree", 0),
    }


def _processors() -> list[dict[str, Any]]:
    model = platform.processor() or platform.machine()
    return [{"cpu": number, "cores": 1, "modelName": model} for number in range(os.cpu_count() or 1)]


def _system() -> dict[str, Any]:
    uptime = 0
    with suppress(OSError, ValueError):
        uptime = int(float(Path("/proc/uptime").read_text().split()[0]))
    return {
        "hostname": socket.gethostname(),
        "uptime": uptime,
        "bootTime": int(time.time()) - uptime,
        "os": platform.system().lower(),
        "platform": platform.system().lower(),
        "kernelVersion": platform.release(),
        "kernelArch": platform.machine(),
    }


def _disk(path: str) -> dict[str, Any]:
    try:
        usage = shutil.disk_usage(path)
    except OSError:
        return {"path": path, "total": 0, "free": 0, "used": 0, "usedPercent": 0.0}
    percent = 100 * usage.used / usage.total if usage.total else 0.0
    return {"path": path, "total": usage.total, "free": usage.free, "used": usage.used, "usedPercent": percent}


ROUTES = (Route("/v1/agent/host", {"GET": Local(show_host, "operator:read")}),)
