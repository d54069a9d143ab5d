"""gRPC checks: one call of the standard health service.

Sources: https://github.com/grpc/grpc/blob/master/doc/health-checking.md, PROTOCOL-HTTP2.md and statuscodes.md there.
"""

from __future__ import annotations

import asyncio
from urllib.parse import unquote

from pyconsul.agent.common.go.network_errors import split_address
from pyconsul.agent.health.definition import CheckDefinition, seconds_allowed
from pyconsul.agent.health.runners.bounds import excerpt
from pyconsul.agent.health.runners.dial import DialError, dial
from pyconsul.agent.health.runners.result import Result
from pyconsul.agent.health.runners.tls import TLSContexts
from pyconsul.agent.model.check import CRITICAL, PASSING

SERVING = 1
SERVING_STATUS = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")
CODES = ("OK", "Canceled", "Unknown", "InvalidArgument", "DeadlineExceeded", "NotFound", "AlreadyExists", "PermissionDenied",
         "ResourceExhausted", "FailedPrecondition", "Aborted", "OutOfRange", "Unimplemented", "Internal", "Unavailable",
         "DataLoss", "Unauthenticated")  # fmt: skip
MAX_MESSAGE = 1024  # characters of an error's text that are kept
PATH = "/grpc.health.v1.Health/Check"


class RPCError(Exception):
    """The call failed; the text is gRPC's."""


async def run_grpc(definition: CheckDefinition, contexts: TLSContexts) -> Result:
    """Ask about `host:port`, or about one service with `host:port/service`."""
    target = definition.grpc
    address, _, service = target.partition("/")
    try:
        async with asyncio.timeout(seconds_allowed(definition)):
            status = await _call(definition, contexts, address, service)
    except TimeoutError:
        return Result(CRITICAL, _rpc("DeadlineExceeded", "context deadline exceeded"))
    except RPCError as error:
        return Result(CRITICAL, str(error))
    if status == SERVING:
        return Result(PASSING, f"gRPC check {target}: success")
    name = SERVING_STATUS[status] if status < len(SERVING_STATUS) else str(status)
    return Result(CRITICAL, f"gRPC {target} serving status: {name}")


async def _call(definition: CheckDefinition, contexts: TLSContexts, address: str, service: str) -> int:
    from pyconsul.agent.health.runners.h2.link import H2Link, LinkError

    try:
        host, port = split_address(address)
        tls = await contexts.load_h2(definition.tls_skip_verify) if definition.grpc_use_tls else None
        transport, link = await dial(H2Link, host, port, tls=tls, server_name=definition.tls_server_name)
    except (ValueError, DialError) as error:
        words = f"dial tcp: {error}" if isinstance(error, ValueError) else str(error)
        dialing = f'connection error: desc = "transport: Error while dialing: {words}"'
        raise RPCError(_rpc("Unavailable", dialing)) from None
    headers = [(":method", "POST"), (":scheme", "https" if tls else "http"), (":authority", address), (":path", PATH),
               ("content-type", "application/grpc"), ("te", "trailers"), ("user-agent", "Consul Health Check")]  # fmt: skip
    try:
        await link.ask(headers, framed(health_request(service)))
    except LinkError as error:
        raise RPCError(_rpc("Unavailable", str(error))) from None
    finally:
        transport.abort()
    return _answer(link.headers, bytes(link.body))


def _answer(headers: dict[str, str], body: bytes) -> int:
    """Return the serving status in an answer; raises RPCError for one that is none."""
    code = headers.get("grpc-status", "")
    if not (code.isascii() and code.isdigit() and len(code) < 10):
        status = excerpt(headers.get(":status", ""))
        raise RPCError(_rpc("Unknown", f"unexpected HTTP status code received from server: {status}"))
    if int(code):
        name = CODES[int(code)] if int(code) < len(CODES) else f"Code({code})"
        raise RPCError(_rpc(name, excerpt(unquote(headers.get("grpc-message", "")), MAX_MESSAGE)))
    return serving_status(body)


def _rpc(code: str, words: str) -> str:
    return f"rpc error: code = {code} desc = {words}"


def health_request(service: str) -> bytes:
    """Return a HealthCheckRequest: field 1 is the service's name."""
    name = service.encode()
    return b"\x0a" + _varint(len(name)) + name if name else b""


def framed(message: bytes) -> bytes:
    """Return a message as gRPC sends it: not compressed, its length in four bytes."""
    return b"\0" + len(message).to_bytes(4, "big") + message


def serving_status(body: bytes) -> int:
    """Field 1 of a framed HealthCheckResponse; left out it is 0, UNKNOWN."""
    message = body[5:]
    return message[1] if message[:1] == b"\x08" and len(message) > 1 else 0


def _varint(number: int) -> bytes:
    data = bytearray()
    while number > 0x7F:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    data.append(number)
    return bytes(data)
