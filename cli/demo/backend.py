"""A small web server: one instance of the demonstration's service."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that hang up."""


class Backend:
    """Answers its name at `/`, and at `/health` whether it is `healthy`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.healthy = True
        self.served = 0
        backend = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                if self.path == "/health":
                    status, body = (200, b"fine\n") if backend.healthy else (503, b"out of order\n")
                else:
                    backend.count_request()
                    status, body = 200, f"{backend.name}\n".encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: Any) -> None:
                pass

        self._server = _QuietServer(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_port)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def set_health(self, healthy: bool) -> None:
        """Let the check of this instance pass or fail from now on."""
        self.healthy = healthy

    def count_request(self) -> None:
        """Count an answered request."""
        self.served += 1

    def definition(self) -> dict[str, Any]:
        """Return its registration with the agent."""
        return {
            "ID": self.name,
            "Name": "web",
            "Address": "127.0.0.1",
            "Port": self.port,
            "Check": {
                "CheckID": f"{self.name}-alive",
                "Name": "answers at /health",
                "HTTP": f"http://127.0.0.1:{self.port}/health",
                "Interval": "1s",
                "Timeout": "1s",
                "Status": "passing",
            },
        }

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
