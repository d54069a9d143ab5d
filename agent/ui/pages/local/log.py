"""The log of this agent: the last lines, and each new one as it is written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from pyconsul.agent.acl.rules import READ
from pyconsul.agent.logs.agent_log import LEVELS, recent_lines
from pyconsul.agent.ui.contract import Page, PageRoute, Refused
from pyconsul.agent.ui.live.stream import event
from pyconsul.agent.ui.visit import Answer, Visit, refusal_of

SHOWN = 200  # lines without scripts
MARKS = {"[WARN]": "warning", "[ERROR]": "critical"}


def show(visit: Visit) -> Page:
    """Show the last lines of at least a level."""
    visit.caller.require("agent", READ, visit.config.node_name)
    level = _level(visit)
    data = {
        "lines": [(mark_of(line), line) for line in recent_lines.lines(level, SHOWN)],
        "level": level,
        "levels": tuple(LEVELS),
        "own_level": visit.config.log_level.lower(),
        "most": SHOWN,
        "tab": "log",
    }
    return Page("agent_log.html", "Log of the agent", "agent", data)


def _level(visit: Visit) -> str:
    """Return the wanted level.  Raises Refused."""
    level = visit.params.get("level", "") or visit.config.log_level.lower()
    level = {"err": "error", "warning": "warn"}.get(level, level)
    if level not in LEVELS:
        raise Refused(f'Log level "{level}" does not exist', "", f"Allowed: {', '.join(LEVELS)}.")
    return level


def mark_of(line: str) -> str:
    """Return the state that a line has by its level, "" for a usual one."""
    return next((state for mark, state in MARKS.items() if mark in line[:40]), "")


async def stream(visit: Visit) -> AsyncIterator[bytes]:
    """Return the events of a log: `recent` with the last lines, then `lines` with new ones.  Raises Refused."""
    level = _level(visit)
    response = await visit.open("GET", "/v1/agent/monitor", loglevel=level)
    if response.status != 200 or response.stream is None:
        raise refusal_of(Answer(response.status, bytes(response.body), {}))
    return events_of(response.stream, level)


async def events_of(lines: AsyncIterator[bytes], level: str) -> AsyncGenerator[bytes, None]:
    """Return the events of a log whose new lines are given; closes the lines at its end."""
    # The stream is begun before the last lines are read, so that no line is missed; one may come twice, and is left out then.
    waiting: asyncio.Future[bytes] = asyncio.ensure_future(anext(lines))
    try:
        await asyncio.sleep(0)
        recent = recent_lines.lines(level, SHOWN)
        yield event("recent", {"lines": recent})
        known = set(recent)
        while True:
            line = (await waiting).decode("utf-8", "replace").rstrip("\n")
            waiting = asyncio.ensure_future(anext(lines))
            if line not in known:
                known.clear()
                yield event("lines", {"lines": [line]})
    except StopAsyncIteration:
        return
    finally:
        waiting.cancel()
        await asyncio.wait([waiting])
        if (close := getattr(lines, "aclose", None)) is not None:
            await close()  # at once: its task must not wait for the garbage collection


PAGES = (PageRoute("agent/log", show, local=True), PageRoute("agent/log/stream", show, local=True, stream=stream))
