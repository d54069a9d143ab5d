"""A run of `pyconsul registrator`: from settings to the loops, until a signal ends it. Services stay."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import socket
import time
import urllib.request
from collections.abc import Awaitable, Callable
from contextlib import suppress
from signal import SIGINT, SIGTERM
from typing import TypeVar

from pyconsul.agent.common.lazy_log import configure_logging
from pyconsul.agent.common.process.sd_notify import Notifier
from pyconsul.tools.consul.client import ConsulClient, ConsulError
from pyconsul.tools.options.hcl_file import ConfigError
from pyconsul.tools.pages.server import StatusServer
from pyconsul.tools.process.log_setup import setup_logging
from pyconsul.tools.registrator.connections import Link, agent_connection, events_of
from pyconsul.tools.registrator.desired.diff import Options
from pyconsul.tools.registrator.desired.ports import AddressRules
from pyconsul.tools.registrator.desired.services import Rules
from pyconsul.tools.registrator.desired.template_contract import TemplateFailed
from pyconsul.tools.registrator.desired.templates import parse_go_template, parse_template
from pyconsul.tools.registrator.engine import Engine, EngineError, engine_address
from pyconsul.tools.registrator.operations import describe
from pyconsul.tools.registrator.options import (
    CLEANUP,
    COMPOSE_TAGS,
    DEREGISTER,
    DRY_RUN,
    EXPLICIT,
    HEALTHCHECK,
    INTERNAL,
    IP,
    IP_LABEL,
    IPV6,
    LOG_LEVEL,
    MIN_TTL_S,
    MORE_TAGS,
    NAME,
    NETWORK,
    RESYNC,
    RETRY_ATTEMPTS,
    RETRY_INTERVAL,
    STATUS_ADDRESS,
    TAGS,
    TTL,
    TTL_REFRESH,
    Settings,
    SettingsError,
    StartFailed,
)
from pyconsul.tools.registrator.pages import RegistratorPages
from pyconsul.tools.registrator.reconciler import Reconciler
from pyconsul.tools.registrator.registries import CatalogRegistry, KvRegistry, Registry

log = logging.getLogger("registrator")
T = TypeVar("T")

_FETCH_S = 10.0
_FETCH_BYTES = 1 << 20
_FETCHED_S = 60.0
_BEAT_S = 180


def run(settings: Settings) -> int:
    """Run until SIGTERM or SIGINT, or once with -dry-run. Raises StartFailed."""
    setup_logging(settings[LOG_LEVEL])
    configure_logging()
    try:
        return asyncio.run(_run(settings))
    except (ConsulError, EngineError, TemplateFailed, SettingsError, ConfigError) as error:
        raise StartFailed(str(error)) from None


async def _run(settings: Settings) -> int:
    connection = settings.connection()
    client = ConsulClient(connection, rng=random.Random())
    engine = Engine(engine_address(settings.environ))
    try:
        await _retried(settings, lambda: client.request("/v1/status/leader", {}))  # there need not be one
        rules = make_rules(settings, await _retried(settings, engine.identity))
        reconciler = Reconciler(
            engine,
            _registry(client, settings),
            rules,
            Options(settings[CLEANUP], settings[DEREGISTER] == "on-success"),
            resync_s=settings[RESYNC],
            beat_s=settings[TTL_REFRESH] if settings.ttl_s else _BEAT_S,
        )
        if settings[DRY_RUN]:
            for write in (await reconciler.preview()).writes:
                print(describe(write))
            return 0
        links = (
            Link("the engine", events_of(engine, reconciler.on_event), reconciler.look_at_all),
            Link("the agent", agent_connection(connection), lambda: reconciler.look_at_all(forget_refusals=True)),
        )
        await _serve(settings, reconciler, links, watch_states=engine.is_podman)
        return 0
    finally:
        await engine.close()
        await client.close()


async def _serve(
    settings: Settings, reconciler: Reconciler, links: tuple[Link, ...], *, watch_states: bool = False
) -> None:
    """Run the loops until a signal."""
    address = settings[STATUS_ADDRESS]
    pages = RegistratorPages(reconciler, links)
    server = StatusServer(f"-{STATUS_ADDRESS.name}", address, pages) if address else None
    if server is not None:
        await server.start()
    ended = asyncio.Event()
    for number in (SIGTERM, SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    loops = [link.run() for link in links] + [reconciler.run(), reconciler.keep_alive()]
    if watch_states:
        loops.append(reconciler.watch_states())
    tasks = [asyncio.create_task(one) for one in loops]
    waiting = asyncio.create_task(ended.wait())
    Notifier.take(os.environ).ready()
    try:
        done, _ = await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()  # a loop ends by an error of ours only
    finally:
        for task in (waiting, *tasks):
            task.cancel()
        await asyncio.gather(waiting, *tasks, return_exceptions=True)
        if server is not None:
            await server.stop()


async def _retried(settings: Settings, ask: Callable[[], Awaitable[T]]) -> T:
    """Return the answer of an engine or an agent, which is asked as often as -retry-attempts says.

    Raises ConsulError and EngineError.
    """
    attempts = settings[RETRY_ATTEMPTS]
    while True:
        try:
            return await ask()
        except (ConsulError, EngineError) as error:
            if attempts == 0:
                raise
            log.warning("%s; trying again in %d ms", error, settings[RETRY_INTERVAL])
        attempts -= attempts > 0
        await asyncio.sleep(settings[RETRY_INTERVAL] / 1000)


def _registry(client: ConsulClient, settings: Settings) -> Registry:
    if settings[TTL] and not settings.ttl_s:
        log.warning("-ttl %d has no effect: use at least %d, Consul's minimum", settings[TTL], MIN_TTL_S)
    prefix = settings.target.prefix
    return CatalogRegistry(client) if prefix is None else KvRegistry(client, prefix, settings.ttl_s)


def make_rules(settings: Settings, engine: str) -> Rules:
    """Return the rules of a run. Raises TemplateFailed."""
    host, fetch = socket.gethostname(), _Fetcher()
    ipv4, ipv6 = ("", "") if settings[IP] else _addresses(host)
    if ipv4.startswith("127.") and not (settings[INTERNAL] or settings[NETWORK] or settings[IP]):
        log.warning("the host's name %s has the address %s, which other machines cannot reach: set -ip", host, ipv4)
    return Rules(
        host=host,
        engine=engine,
        addresses=AddressRules(
            ip=settings[IP],
            internal=settings[INTERNAL],
            ip_label=settings[IP_LABEL],
            network=settings[NETWORK],
            prefer_ipv6=settings[IPV6],
            host_ipv4=ipv4,
            host_ipv6=ipv6,
        ),
        explicit=settings[EXPLICIT],
        tags=parse_go_template(f"-{TAGS.name}", settings[TAGS], fetch) if settings[TAGS] else None,
        more_tags=parse_template(f"-{MORE_TAGS.name}", settings[MORE_TAGS], fetch) if settings[MORE_TAGS] else None,
        name=parse_template(f"-{NAME.name}", settings[NAME], fetch) if settings[NAME] else None,
        compose_tags=settings[COMPOSE_TAGS],
        health=settings[HEALTHCHECK],
        ttl_s=settings.ttl_s if settings.target.prefix is None else 0,
    )


def _addresses(host: str) -> tuple[str, str]:
    """Return the first IPv4 and IPv6 address of a name; empty without one."""
    found = {socket.AF_INET: "", socket.AF_INET6: ""}
    for family in found:
        with suppress(OSError, UnicodeError):
            found[family] = str(socket.getaddrinfo(host, None, family, socket.SOCK_STREAM)[0][4][0])
    return found[socket.AF_INET], found[socket.AF_INET6]


class _Fetcher:
    """Fetches URLs for `httpGet` of templates. What came of one is kept for a minute: templates run at each look."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[float, str | OSError]] = {}

    def __call__(self, url: str) -> str:
        """Return the body of a URL. Raises OSError and ValueError."""
        if not url.startswith(("http://", "https://")):
            raise ValueError("use http:// or https://")
        now = time.monotonic()
        until, found = self._kept.get(url, (0.0, ""))
        if until <= now:
            try:
                with urllib.request.urlopen(url, timeout=_FETCH_S) as answer:
                    found = bytes(answer.read(_FETCH_BYTES)).decode(errors="replace")
            except OSError as error:
                found = error
            self._kept[url] = (time.monotonic() + _FETCHED_S, found)
        if isinstance(found, OSError):
            raise found
        return found
