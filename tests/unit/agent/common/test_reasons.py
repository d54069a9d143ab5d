"""Errors of the system in messages: no error numbers, no names of Python's codecs."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from pathlib import Path

import pytest

from pyconsul.agent.common.reasons import file_error, reason


def test_files(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Errno") as missing:
        (tmp_path / "none").read_text()
    assert reason(missing.value) == "no such file or directory"
    assert file_error(missing.value) == f"open {tmp_path}/none: no such file or directory"
    assert file_error(missing.value, "x") == "open x: no such file or directory"


def test_bytes_that_are_not_utf_8() -> None:
    with pytest.raises(UnicodeDecodeError) as error:
        b"ab\xff".decode()
    assert reason(error.value) == "not UTF-8 text: byte 0xff at offset 2"


def test_an_error_without_a_text_is_named() -> None:
    assert reason(TimeoutError()) == "TimeoutError"
    assert reason(ValueError("embedded null byte")) == "embedded null byte"


async def test_asyncio_puts_nothing_before_the_reason() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectionRefusedError) as error:
            await asyncio.open_connection(*bound.getsockname())
    assert reason(error.value) == "connection refused"


def test_a_plain_server_is_distinguished_from_a_tls_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with server.accept()[0] as client:
                client.recv(1024)
                client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with socket.create_connection(server.getsockname()) as sock, pytest.raises(ssl.SSLError) as error:
            ssl.create_default_context().wrap_socket(sock, server_hostname="localhost")
        thread.join()
    assert reason(error.value) == "the server does not speak TLS on this port; use http://"
