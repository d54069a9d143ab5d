"""Pages of the user's in place of the web interface (`ui_config.dir`): files, and `index.html` for every other path."""

from __future__ import annotations

import asyncio
import mimetypes
from pathlib import Path

from pyconsul.agent.config.sections.ui import UIConfig
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.rendering import root_of
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import TEXT, Response
from pyconsul.agent.httpapi.core.router import Local, Route

CONTENT_PATH = b"{{.ContentPath}}"  # in index.html: stands for `ui_config.content_path`
UTF_8 = ("text/", "application/javascript", "application/json")


class OwnPages:
    """Serves a folder."""

    def __init__(self, settings: UIConfig) -> None:
        self._folder, self._root = Path(settings.dir).resolve(), root_of(settings)

    @property
    def routes(self) -> tuple[Route, ...]:
        """Return the route of all pages."""
        methods = dict.fromkeys(("GET", "HEAD", "POST"), Local(self._serve, "open"))
        return (Route(self._root, methods, ignores_dc=True, bare=True),)

    async def _serve(self, context: Context, request: Request) -> Response:
        return await asyncio.to_thread(self._read, request.tail)

    def _read(self, path: str) -> Response:
        try:
            file = (self._folder / path).resolve()
            if path and file.is_relative_to(self._folder) and file.is_file() and path != "index.html":
                return Response(200, file.read_bytes(), ((b"Content-Type", _type_of(file).encode()),))
            index = (self._folder / "index.html").read_bytes()
        except (OSError, ValueError) as error:
            text = f"ui_config.dir: {getattr(error, 'strerror', None) or error}: {self._folder}\n"
            return Response(404, text.encode(), TEXT)
        body = index.replace(CONTENT_PATH, self._root.encode())
        return Response(200, body, ((b"Content-Type", b"text/html; charset=utf-8"),))


def _type_of(file: Path) -> str:
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith(UTF_8) else kind
