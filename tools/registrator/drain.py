"""`pyconsul registrator drain`: take a container's services out of operation, wait, and stop it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from pyconsul.tools.consul.client import ConsulClient, ConsulError
from pyconsul.tools.registrator.desired.diff import SetMaintenance
from pyconsul.tools.registrator.desired.ownership import DRAINED
from pyconsul.tools.registrator.desired.registrations import read_registrations
from pyconsul.tools.registrator.engine import Engine, EngineError, engine_address
from pyconsul.tools.registrator.options import STOP, UNDO, Settings, StartFailed
from pyconsul.tools.registrator.registries import CatalogRegistry


def drain(settings: Settings, container: str, wait_s: float, say: Callable[[str], None]) -> None:
    """Drain one container. Raises StartFailed."""
    try:
        asyncio.run(_drain(settings, container, wait_s, say))
    except (ConsulError, EngineError) as error:
        raise StartFailed(str(error)) from None


async def _drain(settings: Settings, name: str, wait_s: float, say: Callable[[str], None]) -> None:
    client = ConsulClient(settings.connection(), rng=random.Random())
    engine = Engine(engine_address(settings.environ))
    try:
        container = await engine.inspect(name)
        if container is None:
            raise EngineError(f"no container {name!r} at {engine.address}")
        services, _ = await client.request("/v1/agent/services", {})
        checks, _ = await client.request("/v1/agent/checks", {})
        found = [one for one in read_registrations(services, checks).values() if one.container == container.id]
        if not found:
            raise EngineError(
                f"the agent has no service of container {container.name}; /explain of -status-addr says why"
            )
        registry = CatalogRegistry(client)
        for one in found:
            await registry.write(SetMaintenance(one.id, "" if settings[UNDO] else DRAINED))
            say(f"{one.id}: {'back in operation' if settings[UNDO] else 'in maintenance, gets no new requests'}")
        if settings[UNDO]:
            return
        await asyncio.sleep(wait_s)
        if settings[STOP]:
            await engine.stop(container.id)
            say(f"container {container.name} has been stopped")
    finally:
        await engine.close()
        await client.close()
