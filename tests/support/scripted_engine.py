"""The part of a container engine's API that registrator uses, over dictionaries: any number of containers, at no cost.

`tests/e2e/registrator/test_engine_contract.py` compares it with a real engine.
"""

from __future__ import annotations

import http.server
import json
import queue
import socket
import ssl
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit


class ScriptedEngine:
    """Serves `containers`, descriptions by ID, on a unix socket."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "engine.sock"
        self.host = f"unix://{self.path}"
        self.containers: dict[str, dict[str, Any]] = {}
        self.requests: list[str] = []
        self.info = {"ID": "SCRIPTED:ENGINE", "Name": "scripted", "DockerRootDir": "/var/lib/docker"}
        self.component = "Engine"
        self._subscribers: list[queue.Queue[dict[str, Any] | None]] = []
        self._server: http.server.ThreadingHTTPServer | None = None

    def start(self) -> ScriptedEngine:
        self.path.unlink(missing_ok=True)
        self._server = _Server(str(self.path), _handler(self))
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def start_tls(self, certificate: Path) -> int:
        """Serve TLS on a port of 127.0.0.1 instead, for clients with a certificate that `certificate` has signed."""
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        context.load_verify_locations(certificate)
        context.verify_mode = ssl.CERT_REQUIRED
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return int(self._server.server_port)

    def stop(self) -> None:
        """End all connections; the containers stay."""
        for one in self._subscribers:
            one.put(None)
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def run(self, described: dict[str, Any]) -> None:
        """Start a container."""
        self.containers[described["Id"]] = described
        self.emit("start", described)

    def end(self, container: str, code: int = 0) -> None:
        """Let a container end by itself."""
        self.containers[container]["State"] |= {"Running": False, "Status": "exited", "ExitCode": code}
        self.emit("die", self.containers[container], exitCode=str(code))

    def remove(self, container: str) -> None:
        """End a container, and forget it."""
        described = self.containers.pop(container)
        self.emit("kill", described, signal="9")
        self.emit("die", described, exitCode="137")
        self.emit("destroy", described)

    def emit(self, action: str, described: dict[str, Any], kind: str = "container", **attributes: str) -> None:
        now = time.time_ns()
        actor = {"ID": described["Id"], "Attributes": {"name": described["Name"][1:], **attributes}}
        event = {
            "Type": kind,
            "Action": action,
            "Actor": actor,
            "scope": "local",
            "time": now // 10**9,
            "timeNano": now,
        }
        for one in list(self._subscribers):
            one.put(event)

    def subscribe(self) -> queue.Queue[dict[str, Any] | None]:
        self._subscribers.append(queue.Queue())
        return self._subscribers[-1]

    def answer(self, method: str, target: str) -> tuple[int, Any]:
        """Return status and JSON of a request."""
        self.requests.append(f"{method} {target}")
        path, query = urlsplit(target).path, parse_qs(urlsplit(target).query)
        if path == "/info":
            return 200, self.info
        if path == "/version":
            return 200, {"Components": [{"Name": self.component}]}
        if path == "/containers/json":
            everything = query.get("all") == ["1"]
            listed = [one for one in list(self.containers.values()) if everything or one["State"].get("Running")]
            return 200, [
                {"Id": one["Id"], "Names": [one["Name"]], "State": one["State"].get("Status")} for one in listed
            ]
        name = path.removeprefix("/containers/").removesuffix("/json")
        for one in list(self.containers.values()):
            if name in (one["Id"], one["Name"][1:]):
                return 200, one
        return 404, {"message": f"No such container: {name}"}


class _Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_UNIX
    daemon_threads = True

    def server_bind(self) -> None:
        self.socket.bind(self.server_address)

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients may go at any time."""


def _handler(engine: ScriptedEngine) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path.startswith("/events"):
                engine.requests.append("GET /events")
                return self._stream(engine.subscribe())
            status, value = engine.answer("GET", self.path)
            body = json.dumps(value).encode()
            self.send_response_only(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return None

        def _stream(self, events: queue.Queue[dict[str, Any] | None]) -> None:
            self.send_response_only(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            while (event := events.get()) is not None:
                line = json.dumps(event).encode() + b"\n"
                self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            self.close_connection = True

        def address_string(self) -> str:
            return "unix"

        def log_message(self, *arguments: object) -> None:
            pass

    return Handler
