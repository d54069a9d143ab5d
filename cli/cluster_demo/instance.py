"""An instance of the demonstration's service, as a program: `python -m … NAME ADDRESS PORT` answers its name."""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Handler(BaseHTTPRequestHandler):
    """Answers every GET."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # a response is sent whole: a machine that dies has sent all of it or nothing

    def do_GET(self) -> None:
        """Send the name of the instance."""
        body = f"{sys.argv[1]}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        """Log nothing."""


if __name__ == "__main__":
    ThreadingHTTPServer((sys.argv[2], int(sys.argv[3])), Handler).serve_forever()
