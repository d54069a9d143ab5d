"""The API of a container engine: Docker's, or Podman's compatible one, over a unix socket, TCP or TLS.

Source: https://docs.docker.com/engine/api/ (paths without a version: the engine answers with its own)
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import ssl
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from pyconsul.agent.common.reasons import reason
from pyconsul.tools.registrator.desired.containers import Container, State, read_container

#: Usual sockets of engines; registrator's own default, used in containers, comes last.
SOCKETS = ("/var/run/docker.sock", "/run/podman/podman.sock", "/tmp/docker.sock")
_TIMEOUT_S = 30.0
_AT_ONCE = 8
#: States of Podman's list in which a container has processes.
_THERE = ("running", "paused", "stopping")
_KEEPALIVE = ((socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15))


log = logging.getLogger("registrator")


class EngineError(Exception):
    """The engine does not answer, or answers with an error. `status`: of HTTP, 0 without an answer."""

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


class UnreadableContainer(EngineError):
    """The engine describes a container in a way that is not understood."""


@dataclass(frozen=True, slots=True)
class EngineAddress:
    """The address of an engine: the path of a unix socket, or a URL. `certificates`: folder with ca.pem, cert.pem and key.pem."""

    socket: str = ""
    url: str = "http://engine"
    certificates: str = ""
    verify: bool = False

    def __str__(self) -> str:
        return f"unix://{self.socket}" if self.socket else self.url


def engine_address(environ: Mapping[str, str]) -> EngineAddress:
    """Return the address of DOCKER_HOST, else the first socket that exists. Raises EngineError."""
    text = environ.get("DOCKER_HOST", "")
    if not text:
        return EngineAddress(next((path for path in SOCKETS if Path(path).exists()), SOCKETS[0]))
    scheme, _, rest = text.partition("://")
    if scheme == "unix" and rest:
        return EngineAddress(rest)
    verify = bool(environ.get("DOCKER_TLS_VERIFY"))
    secure = verify or scheme == "https"
    if scheme not in ("tcp", "http", "https") or not urlsplit(text).hostname:
        raise EngineError(f"invalid DOCKER_HOST {text!r}: use unix:///path, tcp://host:port or https://host:port")
    folder = environ.get("DOCKER_CERT_PATH", "") or str(Path.home() / ".docker")
    return EngineAddress("", f"{'https' if secure else 'http'}://{rest}", folder if secure else "", verify)


class Engine:
    """A connection to an engine. Raises EngineError for certificates that cannot be read."""

    def __init__(self, address: EngineAddress) -> None:
        self.address = address
        context: ssl.SSLContext | bool = _tls(address) if address.certificates else False
        transport = httpx.AsyncHTTPTransport(
            uds=address.socket or None,
            verify=context,
            trust_env=False,
            limits=httpx.Limits(max_connections=2 * _AT_ONCE, max_keepalive_connections=_AT_ONCE),
            socket_options=None if address.socket else _KEEPALIVE,
        )
        self._client = httpx.AsyncClient(transport=transport, base_url=address.url, timeout=_TIMEOUT_S, trust_env=False)
        self._slots = asyncio.Semaphore(_AT_ONCE)
        #: Known after `identity`: Podman has no event for a container that is asked to end, but a state.
        self.is_podman = False

    async def close(self) -> None:
        await self._client.aclose()

    async def identity(self) -> str:
        """Return what the engine is known by, also after a restart: its ID and data folder, since the engines of one machine may
        share an ID. Podman's ID changes with each answer; its host's name stands for it."""
        info = await self._json("GET", "/info")
        version = await self._json("GET", "/version")
        components = " ".join(str(one.get("Name")) for one in version.get("Components") or ())
        self.is_podman = "podman" in components.lower()
        known = f"podman {info.get('Name')}" if self.is_podman else info.get("ID") or info.get("Name")
        return f"{known or 'engine'} {info.get('DockerRootDir') or ''}".strip()

    async def list_ids(self, *, ended: bool = False) -> list[str]:
        """Return the IDs of the containers that run; with `ended`, of all."""
        if self.is_podman and not ended:  # it leaves out those that are being stopped
            return [name for name, state in (await self._states()).items() if state in _THERE]
        found = await self._json("GET", f"/containers/json?all={int(ended)}")
        return [str(one["Id"]) for one in found]

    async def list_stopping(self) -> frozenset[str]:
        """Return the IDs of the containers that Podman is stopping."""
        return frozenset(name for name, state in (await self._states()).items() if state == State.STOPPING.value)

    async def _states(self) -> dict[str, str]:
        found = await self._json("GET", "/containers/json?all=1")
        return {str(one["Id"]): str(one.get("State")) for one in found}

    async def inspect(self, container: str) -> Container | None:
        """Return a container by ID or name; None when there is none."""
        async with self._slots:
            try:
                described = await self._json("GET", f"/containers/{quote(container, safe='')}/json")
            except EngineError as error:
                if error.status == 404:
                    return None
                raise
        try:
            return read_container(described)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UnreadableContainer(f"container {container[:12]}: unexpected description: {error!r}", 200) from None

    async def inspect_all(self, containers: list[str]) -> list[Container]:
        """Return those of the containers that exist, and can be understood."""
        found = await asyncio.gather(*(self._inspected(one) for one in containers))
        return [one for one in found if one is not None]

    async def _inspected(self, container: str) -> Container | None:
        try:
            return await self.inspect(container)
        except UnreadableContainer as error:  # it must keep no other from being registered
            log.warning("not registered: %s", error)
            return None

    async def stop(self, container: str, timeout_s: int | None = None) -> None:
        """Stop a container; it gets `timeout_s`, or its own time limit, before it is killed."""
        query = "" if timeout_s is None else f"?t={timeout_s}"
        # The engine answers when the container has ended.
        await self._request("POST", f"/containers/{quote(container, safe='')}/stop{query}", None)

    async def events(self, subscribed: Callable[[], None]) -> AsyncGenerator[Mapping[str, Any], None]:
        """Yield the events of containers and networks; `subscribed` is called before the first. Raises EngineError.

        The end of the stream is an error: the engine has gone.
        """
        filters = json.dumps({"type": ["container", "network"]})
        timeout = httpx.Timeout(_TIMEOUT_S, read=None)
        with self._errors("GET", "/events"):
            request = self._client.build_request("GET", "/events", params={"filters": filters}, timeout=timeout)
            response = await self._client.send(request, stream=True)
            try:
                if response.status_code != 200:
                    raise await _refusal("GET", "/events", response)
                subscribed()
                async for line in response.aiter_lines():
                    if line.strip():
                        yield json.loads(line)
            finally:
                await response.aclose()
        raise EngineError(f"the engine at {self.address} ended the stream of events")

    async def _json(self, method: str, path: str) -> Any:
        with self._errors(method, path):
            return (await self._request(method, path, _TIMEOUT_S)).json()

    async def _request(self, method: str, path: str, timeout_s: float | None) -> httpx.Response:
        with self._errors(method, path):
            timeout = httpx.Timeout(_TIMEOUT_S, read=timeout_s)
            response = await self._client.request(method, path, timeout=timeout)
            if response.status_code >= 400:
                raise await _refusal(method, path, response)
            return response

    @contextmanager
    def _errors(self, method: str, path: str) -> Iterator[None]:
        try:
            yield
        except (httpx.HTTPError, OSError, ValueError) as error:
            raise EngineError(f"{method} {path.partition('?')[0]} at {self.address}: {_words(error)}") from error


async def _refusal(method: str, path: str, response: httpx.Response) -> EngineError:
    text = " ".join((await response.aread()).decode(errors="replace").split())[:200]
    return EngineError(f"{method} {path.partition('?')[0]}: {response.status_code} {text}", response.status_code)


def _words(error: BaseException) -> str:
    """Return the system's reason where there is one."""
    link: BaseException | None = error
    while link is not None:
        if (
            isinstance(link, OSError) and link.errno is not None
        ):  # without: "all attempts failed", with the cause behind it
            return reason(link)
        link = link.__cause__ or link.__context__
    return str(error) or type(error).__name__


def _tls(address: EngineAddress) -> ssl.SSLContext:
    """Return the TLS context with the files that Docker's clients use."""
    folder = address.certificates
    authority, certificate, key = (os.path.join(folder, name) for name in ("ca.pem", "cert.pem", "key.pem"))
    try:
        context = ssl.create_default_context(cafile=authority if os.path.exists(authority) else None)
        if os.path.exists(certificate):
            context.load_cert_chain(certificate, key)
    except (OSError, ValueError) as error:
        raise EngineError(f"cannot read the certificates in {folder} (DOCKER_CERT_PATH): {reason(error)}") from None
    if not address.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
