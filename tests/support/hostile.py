"""Servers that do what a peer of a check must not do. Each runs in threads, so that its work is not the event loop's."""

from __future__ import annotations

import contextlib
import socket
import struct
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

Speak = Callable[[socket.socket], None]

CHUNK = 1 << 16
DRIP_S = 0.02
TOGETHER_S = 0.02  # within that, a client sends what it has to say at first


@contextlib.contextmanager
def serving(speak: Speak, *, unix: bool = False) -> Iterator[str]:
    """Let `speak` talk on each connection; gives the address, `host:port` or the path of a unix socket."""
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder, contextlib.ExitStack() as stack:
        if unix:
            address = str(Path(folder) / "socket")
            server = stack.enter_context(socket.socket(socket.AF_UNIX))
            server.bind(address)
        else:
            server = stack.enter_context(socket.socket())
            server.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{server.getsockname()[1]}"
        server.listen(64)
        closed = threading.Event()
        threading.Thread(target=_accept, args=(server, speak, closed), daemon=True).start()
        yield address
        closed.set()
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)


def _accept(server: socket.socket, speak: Speak, closed: threading.Event) -> None:
    while not closed.is_set():
        try:
            link, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=_talk, args=(link, speak), daemon=True).start()


def _talk(link: socket.socket, speak: Speak) -> None:
    with link, contextlib.suppress(OSError):
        link.settimeout(30)
        speak(link)


def hear(link: socket.socket) -> bytes:
    """What the client sends first; with HTTP/2 that may come in two pieces."""
    heard = link.recv(CHUNK)
    if heard.startswith(b"PRI * HTTP/2.0"):
        link.settimeout(TOGETHER_S)
        with contextlib.suppress(TimeoutError):
            heard += link.recv(CHUNK)
        link.settimeout(30)
    return heard


def says(*parts: bytes) -> Speak:
    """Send some bytes, and then be silent."""

    def speak(link: socket.socket) -> None:
        hear(link)
        link.sendall(b"".join(parts))
        while link.recv(CHUNK):
            pass

    return speak


def floods(begin: bytes, again: bytes) -> Speak:
    """Send some bytes, and then the same again and again, as fast as the client takes them."""
    block = again * max(1, CHUNK // len(again))

    def speak(link: socket.socket) -> None:
        hear(link)
        link.sendall(begin)
        while True:
            link.sendall(block)

    return speak


def drips(text: bytes) -> Speak:
    """Send one byte after the other, without end."""

    def speak(link: socket.socket) -> None:
        hear(link)
        while True:
            for byte in text:
                link.sendall(bytes((byte,)))
                time.sleep(DRIP_S)

    return speak


def hangs_up(begin: bytes = b"", *, reset: bool = False, half: bool = False) -> Speak:
    """Send some bytes and close the connection: in order, by a reset, or only the sending half of it."""

    def speak(link: socket.socket) -> None:
        hear(link)
        link.sendall(begin)
        if reset:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif half:
            link.shutdown(socket.SHUT_WR)
            while link.recv(CHUNK):
                pass

    return speak


def zeros_compressed(size: int) -> bytes:
    """Return a gzip stream that unpacks to so many zeros."""
    pack = zlib.compressobj(9, wbits=31)
    return b"".join(pack.compress(bytes(1 << 20)) for _ in range(size >> 20)) + pack.flush()


def frame(kind: int, payload: bytes = b"", flags: int = 0, stream: int = 0) -> bytes:
    """Return an HTTP/2 frame (RFC 9113, section 4.1)."""
    return len(payload).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4) + payload


DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
HELLO = frame(SETTINGS)
STATUS_200 = b"\x88"  # `:status: 200` of HPACK's static table

HEAD = b"HTTP/1.1 503 No\r\n"
HTTP: dict[str, Speak] = {
    "endless header": floods(HEAD + b"X-A: ", b"a"),
    "endless header name": floods(HEAD, b"a"),
    "endless reason": floods(b"HTTP/1.1 503 ", b"a"),
    "endless status": floods(b"HTTP/1.1 ", b"5"),
    "endless version": floods(b"", b"HTTP"),
    "endless location": floods(b"HTTP/1.1 302 Found\r\nLocation: http://", b"a"),
    "headers without end": floods(HEAD, b"X-A: b\r\n"),
    "interim responses without end": floods(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "chunks of a byte": floods(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
    "endless chunk extension": floods(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;", b"a"),
    "endless trailer": floods(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"Location: /\r\n"),
    "endless body": floods(HEAD + b"\r\n", b"a"),
    "body longer than said": floods(HEAD + b"Content-Length: 5\r\n\r\n", b"a"),
    "gzip bomb": says(HEAD + b"Content-Encoding: gzip\r\n\r\n", zeros_compressed(64 << 20)),
    "slow drip": drips(b"HTTP/1.1 503 No\r\n" + b"X-A: b\r\n" * 1000),
    "silence": says(),
    "reset in the header": hangs_up(HEAD + b"X-A: b", reset=True),
    "end in the header": hangs_up(HEAD + b"X-A: b"),
    "half closed": hangs_up(half=True),
    "garbage": floods(b"", bytes(range(256))),
    "redirect to itself": says(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"),
    "redirects with endless bodies": floods(b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", b"a"),
    "redirect to nowhere": says(b"HTTP/1.1 302 Found\r\nLocation: http://[\r\nContent-Length: 0\r\n\r\n"),
    "redirect to a long host": says(
        b"HTTP/1.1 302 Found\r\nLocation: http://" + b"\xc3\xa4." * 15000 + b"\r\nContent-Length: 0\r\n\r\n"
    ),
    "redirect to another scheme": says(b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n"),
    "length above all numbers": says(HEAD + b"Content-Length: 99999999999999999999\r\n\r\n"),
    "chunk above all numbers": says(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"F" * 17 + b"\r\n"),
    "NUL in a header": says(HEAD + b"X-A: \0\r\nContent-Length: 0\r\n\r\n"),
    "HTTP/2 instead": floods(HELLO, frame(PING, bytes(8))),
}  # fmt: skip

HTTP2: dict[str, Speak] = {
    "SETTINGS without end": floods(HELLO, frame(SETTINGS)),
    "SETTINGS that change": floods(HELLO, frame(SETTINGS, struct.pack(">HI", 4, 65535) * 6)),
    "PING without end": floods(HELLO, frame(PING, bytes(8))),
    "WINDOW_UPDATE without end": floods(HELLO, frame(WINDOW, (1).to_bytes(4))),
    "CONTINUATION without end": floods(HELLO + frame(HEADERS, STATUS_200, 0, 1), frame(CONTINUATION, b"", 0, 1)),
    "long CONTINUATION without end": floods(
        HELLO + frame(HEADERS, STATUS_200, 0, 1), frame(CONTINUATION, b"\x40\x01a\x7f\xa1\x1e" + b"b" * 4000, 0, 1)
    ),
    "empty DATA without end": floods(HELLO + frame(HEADERS, STATUS_200, 4, 1), frame(DATA, b"", 0, 1)),
    "DATA without end": floods(HELLO + frame(HEADERS, STATUS_200, 4, 1), frame(DATA, bytes(8192), 0, 1)),
    "interim responses without end": floods(HELLO, frame(HEADERS, b"\x08\x03103", 4, 1)),
    "PRIORITY without end": floods(HELLO, frame(PRIORITY, bytes(4) + b"\1", 0, 1)),
    "RST_STREAM without end": floods(HELLO, frame(RST, bytes(4), 0, 1)),
    "pushes without end": floods(HELLO, frame(PUSH, (2).to_bytes(4) + STATUS_200, 4, 1)),
    "unknown frames without end": floods(HELLO, frame(99)),
    "frame of 16 MB": floods(HELLO + b"\xff\xff\xff" + frame(DATA)[3:], b"\0"),
    "header bomb": says(
        HELLO, frame(HEADERS, b"\x88\x40\x01a\x7f\xa1\x1e" + b"b" * 4000 + b"\xbe" * 12000, 4, 1)
    ),
    "GOAWAY": says(HELLO, frame(GOAWAY, bytes(8))),
    "garbage": floods(b"", bytes(range(256))),
    "HTTP/1.1 instead": floods(b"HTTP/1.1 400 Bad Request\r\n\r\n", b"a"),
    "silence": says(),
    "slow drip": drips(HELLO),
    "reset": hangs_up(HELLO, reset=True),
}  # fmt: skip

GRPC: dict[str, Speak] = {
    "status of many digits": says(
        HELLO, frame(HEADERS, STATUS_200, 4, 1), frame(HEADERS, b"\x00\x0bgrpc-status\x7f\xa1\x1e" + b"9" * 4000, 5, 1)
    ),
    "status that is not a number": says(
        HELLO, frame(HEADERS, STATUS_200, 4, 1), frame(HEADERS, b"\x00\x0bgrpc-status\x02\xc2\xb2", 5, 1)
    ),
    "long message": says(
        HELLO,
        frame(HEADERS, STATUS_200, 4, 1),
        frame(HEADERS, b"\x00\x0bgrpc-status\x012\x00\x0cgrpc-message\x7f\xa1\x1e" + b"m" * 4000, 5, 1),
    ),
    "header that is not UTF-8": says(
        HELLO, frame(HEADERS, STATUS_200, 4, 1), frame(HEADERS, b"\x00\x0bgrpc-status\x02\xff\xfe", 5, 1)
    ),
}  # fmt: skip


def json_response(body: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


def engine(created: Speak | None = None, started: Speak | None = None, inspected: Speak | None = None) -> Speak:
    """Return a container engine that is well but for one step."""

    def speak(link: socket.socket) -> None:
        asked = link.recv(CHUNK, socket.MSG_PEEK).split(b" ")[1]
        if asked.startswith(b"/containers"):
            step = created or says(json_response(b'{"Id":"1"}', b"201 Created"))
        elif asked.endswith(b"/start"):
            step = started or hangs_up(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            step = inspected or says(json_response(b'{"ExitCode":0}'))
        step(link)

    return speak


OUTPUT = b"HTTP/1.1 200 OK\r\n\r\n"
DOCKER: dict[str, Speak] = {
    "endless header": engine(created=HTTP["endless header"]),
    "endless JSON": engine(created=floods(b'HTTP/1.1 201 Created\r\n\r\n{"Id":"', b"1")),
    "deep JSON": engine(created=says(json_response(b'{"a":' * 10_000, b"201 Created"))),
    "long ID": engine(created=says(json_response(b'{"Id":"%s"}' % (b"1" * 60_000), b"201 Created")),
                      started=says(json_response(b"", b"404 Not Found"))),
    "output without end": engine(started=floods(OUTPUT, b"\1\0\0\0\0\0\x40\0" + bytes(0x4000))),
    "output in single bytes": engine(started=floods(OUTPUT, b"\1\0\0\0\0\0\0\1a")),
    "empty pieces of output": engine(started=floods(OUTPUT, b"\1\0\0\0\0\0\0\0")),
    "error without end": engine(started=floods(b"HTTP/1.1 500 No\r\n\r\n", b"a")),
    "program that never ends": engine(inspected=says(json_response(b'{"ExitCode":null}'))),
    "exit code that is not a number": engine(inspected=says(json_response(b'{"ExitCode":"0"}'))),
    "exit code above all numbers": engine(inspected=says(json_response(b'{"ExitCode":1' + b"0" * 5000 + b"}"))),
    "endless inspection": engine(inspected=floods(b'HTTP/1.1 200 OK\r\n\r\n{"ExitCode":', b" ")),
    "silence": engine(created=says()),
    "silent output": engine(started=says(OUTPUT)),
    "garbage": floods(b"", bytes(range(256))),
}  # fmt: skip
