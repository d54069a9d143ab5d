"""Commands to a running HAProxy through its master's socket, and what its answers mean.

The master passes what follows `@1` on to the current worker (section 9.4 of
https://docs.haproxy.org/2.6/management.html); its socket has level admin, so a configuration needs no `stats socket`.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from pyconsul.tools.template.haproxy.config import Server

log = logging.getLogger("template")

#: Seconds for one answer, and for all answers of one update.
_ANSWER_TIMEOUT, _UPDATE_TIMEOUT = 5.0, 20.0
_MASTER = re.compile(r"\bmaster\s+(\d+)(?:\s+\[failed:\s*(\d+)\])?")
#: Commands of which HAProxy says that they worked, by their beginnings; it is silent after any other that did.
_SAID = (
    (re.compile(r"add server "), re.compile(r"^New server registered\.$", re.MULTILINE)),
    (
        re.compile(r"set server \S+ addr "),
        re.compile(r"^(IP changed from |no need to change the addr|nothing changed)"),
    ),
    (re.compile(r"del server "), re.compile(r"^(Server deleted|No such server)\.$", re.MULTILINE)),
)


class RuntimeRefused(Exception):
    """HAProxy did not take a command, or did not answer; the text names the command and says why."""


class Runtime:
    """`socket`: the master's."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def ask(self, command: str) -> str:
        """Return one command's answer, without its empty lines. Raises RuntimeRefused when it is missing."""
        try:
            async with asyncio.timeout(_ANSWER_TIMEOUT):
                reader, writer = await asyncio.open_unix_connection(self._socket)
                try:
                    writer.write(f"{command}\n".encode())
                    writer.write_eof()
                    return (await reader.read()).decode(errors="replace").strip()
                finally:
                    writer.close()
        except (OSError, TimeoutError) as error:
            raise RuntimeRefused(f"{command}: {error or 'no answer in time'}") from error

    async def reloads(self) -> tuple[int, int] | None:
        """How often the master has read its configuration again, and how many of the latest times it failed; None while
        it does not answer."""
        try:
            answer = await self.ask("show proc")
        except RuntimeRefused:
            return None
        found = _MASTER.search(answer)
        return (int(found[1]), int(found[2] or 0)) if found and "# workers" in answer else None

    async def carry_out(self, commands: Iterable[str]) -> None:
        """Give the worker these, in order. Raises RuntimeRefused at the first that does not work."""
        try:
            async with asyncio.timeout(_UPDATE_TIMEOUT):
                for command in commands:
                    await self._give(command)
        except TimeoutError as error:
            raise RuntimeRefused(f"not done within {_UPDATE_TIMEOUT:g}s") from error

    async def _give(self, command: str) -> None:
        answer = await self.ask(f"@1 {command}")
        if not has_worked(command, answer):
            raise RuntimeRefused(f"{command}: {answer or 'no answer'}")
        log.debug("haproxy: %s: %s", command, answer or "done")

    async def delete(self, servers: Mapping[str, Server]) -> dict[str, Server]:
        """Delete those that have no connections any more; what remains."""
        remaining = {}
        for key, server in servers.items():
            try:
                await self._give(f"del server {key}")
            except RuntimeRefused as error:
                log.debug("haproxy: %s", error)
                remaining[key] = server
        return remaining


def has_worked(command: str, answer: str) -> bool:
    """Return whether the answer (stripped) to a command that changes something says that it did."""
    for given, good in _SAID:
        if given.match(command):
            return good.search(answer) is not None
    return not answer
