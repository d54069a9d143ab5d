"""The scripted engine answers as a real one does, in all that registrator reads."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.container_engine import ContainerEngine
from support.containers import container_id, described
from support.eventually import eventually_async
from support.registrator import create, start
from support.scripted_engine import ScriptedEngine

from pyconsul.tools.registrator.desired.containers import Container, State
from pyconsul.tools.registrator.engine import Engine, EngineAddress

ENV, LABELS = ["SERVICE_NAME=shop"], {"team": "blue"}


class Real:
    """A container of a real engine."""

    def __init__(self, engine: ContainerEngine) -> None:
        self.path = str(engine.socket)
        self._engine = engine

    def run(self) -> None:
        create(self._engine, "web", ports=["127.0.0.1:21980:80"], env=ENV, labels=LABELS)
        start(self._engine, "web")

    def pause(self, action: str) -> None:
        self._engine.done("POST", f"/containers/web/{action}")

    def remove(self) -> None:
        self._engine.remove("web")


class Scripted:
    """The same container of a scripted engine."""

    def __init__(self, engine: ScriptedEngine) -> None:
        self.path = str(engine.path)
        self._engine = engine

    def run(self) -> None:
        env = [*ENV, "PATH=/bin"]
        self._engine.run(described("web", image="small:1", ports=["127.0.0.1:21980:80"], env=env, labels=LABELS))

    def pause(self, action: str) -> None:
        one = self._engine.containers[container_id("web")]
        one["State"]["Paused"] = action == "pause"
        self._engine.emit(action, one)

    def remove(self) -> None:
        self._engine.remove(container_id("web"))


@pytest.fixture(params=["real", "scripted"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Real | Scripted]:
    if request.param == "real":
        engine: ContainerEngine = request.getfixturevalue("engine")
        yield Real(engine)
        engine.clear()
    else:
        scripted = ScriptedEngine(tmp_path).start()
        yield Scripted(scripted)
        scripted.stop()


def seen(container: Container) -> dict[str, Any]:
    """Return what does not differ from run to run."""
    env = {name: value for name, value in container.env.items() if name.startswith("SERVICE_")}
    return {
        "name": container.name,
        "image": container.image,
        "env": env,
        "labels": dict(container.labels),
        "network_mode": container.network_mode,
        "exposed": {str(port) for port in container.exposed},
        "published": {str(port): list(bindings) for port, bindings in container.published.items()},
        "networks": sorted(container.networks),
        "health": container.health,
        "stop_signal": container.stop_signal,
    }


async def test_the_engines_answer_alike(world: Real | Scripted) -> None:
    engine = Engine(EngineAddress(world.path))
    events: list[str] = []
    subscribed = asyncio.Event()

    async def follow() -> None:
        async for event in engine.events(subscribed.set):
            if event["Type"] == "container" and event["Actor"]["Attributes"]["name"] == "web":
                events.append(str(event["Action"]))

    following = asyncio.create_task(follow())
    try:
        await subscribed.wait()
        assert await engine.identity()
        assert await engine.list_ids() == []
        assert await engine.inspect("web") is None
        await asyncio.to_thread(world.run)
        (container_id,) = await engine.list_ids()
        container = await engine.inspect(container_id)
        assert container is not None
        assert container.id == container_id
        assert seen(container) == {
            "name": "web",
            "image": "small:1",
            "env": {"SERVICE_NAME": "shop"},
            "labels": {"team": "blue"},
            "network_mode": "default",
            "exposed": {"80/tcp"},
            "published": {"80/tcp": [("127.0.0.1", 21980)]},
            "networks": ["bridge"],
            "health": None,
            "stop_signal": 15,
        }
        for action, state in (("pause", State.PAUSED), ("unpause", State.RUNNING)):
            await asyncio.to_thread(world.pause, action)
            again = await engine.inspect("web")
            assert again is not None
            assert again.state is state
            assert await engine.list_ids() == [container_id]
        await asyncio.to_thread(world.remove)
        assert await engine.list_ids() == []
        wanted = ["start", "pause", "unpause", "kill", "die", "destroy"]
        await eventually_async(lambda: [one for one in events if one in wanted] == wanted)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await engine.close()
