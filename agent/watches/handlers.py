"""Runs the handler of a watch: a program or an HTTP request. Failures are logged; the watch goes on."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
from asyncio.subprocess import Process
from contextlib import ExitStack
from typing import Any, BinaryIO

import httpx

from pyconsul.agent.common.process.child_process import signal_group
from pyconsul.agent.watches.definition import Definition, Request, Script

#: Bytes of a handler's output that are logged; the rest is read and dropped.
_MAX_OUTPUT = 4096
#: Seconds that output may go on after the program has ended: children may hold it open.
_LINGER_S = 1.0

log = logging.getLogger("agent")


class Handlers:
    """The running handlers of all watches."""

    def __init__(self) -> None:
        self._processes: set[Process] = set()
        self._is_stopped = False

    async def run(self, watch: Definition, index: int, data: Any) -> None:
        """Run the handler of a watch once, until it ends. Only cancellation is raised."""
        body = json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogateescape") + b"\n"
        if isinstance(watch.handler, Request):
            await _send(watch.handler, index, body)
        elif watch.handler.args:
            await self._run_script(watch.handler, index, body)

    def stop(self) -> None:
        """Send SIGTERM to the running programs and all that they started; how they end is not logged as a failure."""
        self._is_stopped = True
        for process in self._processes:
            signal_group(process.pid, signal.SIGTERM)

    async def _run_script(self, script: Script, index: int, body: bytes) -> None:
        words = json.dumps(script.args, ensure_ascii=False)
        with ExitStack() as stack:
            output, writer = await _output_pipe(stack)
            try:
                process = await self._start(script, index, body, writer)
            except (OSError, ValueError) as error:
                reason = (getattr(error, "strerror", None) or str(error)).lower()
                log.error(
                    'Failed to run watch handler: watch_handler=%s error="fork/exec %s: %s"',
                    words,
                    script.args[0],
                    reason,
                )
                return
            finally:
                os.close(writer)
            self._processes.add(process)
            reading = asyncio.create_task(_read(output))
            stack.callback(reading.cancel)
            try:
                code = await process.wait()
                await asyncio.wait([reading], timeout=_LINGER_S)
            finally:
                self._processes.discard(process)
            text = reading.result() if reading.done() else ""
        log.debug("watch handler output: watch_handler=%s output=%s", words, text)
        if code and not self._is_stopped:
            reason = f"exit status {code}" if code > 0 else f"signal: {signal.Signals(-code).name}"
            log.error('Failed to run watch handler: watch_handler=%s error="%s"', words, reason)

    async def _start(self, script: Script, index: int, body: bytes, writer: int) -> Process:
        """Raises OSError, ValueError."""
        with _data_file(body) as data:
            environ = {**os.environ, "CONSUL_INDEX": str(index)}
            return await asyncio.create_subprocess_exec(
                *script.args, stdin=data, stdout=writer, stderr=writer, env=environ, start_new_session=True
            )


def _data_file(body: bytes) -> BinaryIO:
    """Return the standard input of a program; with a pipe, a child that keeps it open would delay the program's end."""
    file = open(os.memfd_create("watch"), "w+b")  # noqa: SIM115
    file.write(body)
    file.seek(0)
    return file


async def _output_pipe(stack: ExitStack) -> tuple[asyncio.StreamReader, int]:
    """Return a reader, which the stack closes, and the descriptor to write to."""
    reader, writer = os.pipe()
    loop = asyncio.get_running_loop()
    stream = asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(reader, "rb"))
    stack.callback(transport.close)
    return stream, writer


async def _read(stream: asyncio.StreamReader) -> str:
    kept = b""
    while part := await stream.read(65536):
        kept += part[: _MAX_OUTPUT - len(kept)]
    return kept.decode("utf-8", "replace").strip()


async def _send(request: Request, index: int, body: bytes) -> None:
    headers = [("Content-Type", "application/json"), ("X-Consul-Index", str(index)), *request.header]
    try:
        async with (
            asyncio.timeout(request.timeout_s),
            httpx.AsyncClient(verify=not request.tls_skip_verify, timeout=None, trust_env=False) as client,
            client.stream(request.method, request.url, content=body, headers=headers) as response,
        ):
            output = b""
            async for part in response.aiter_bytes():
                output += part
                if len(output) >= _MAX_OUTPUT:
                    break
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:  # TimeoutError is an OSError
        reason = str(error) or f"no response within {request.timeout_s:g}s"
        log.error('Failed to invoke http watch handler: watch=%s error="%s"', request.url, reason)
        return
    text = output[:_MAX_OUTPUT].decode("utf-8", "replace")
    if response.is_success:
        log.debug("http watch handler succeeded: watch=%s output=%s", request.url, text)
        return
    status = f"{response.status_code} {response.reason_phrase}"
    log.error('http watch handler failed with output: watch=%s status="%s" output=%s', request.url, status, text)
