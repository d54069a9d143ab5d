"""The place that a server reads its state from when it starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyconsul.agent.cluster.opening import begins_alone
from pyconsul.agent.cluster.record import RecordFile
from pyconsul.agent.cluster.settings import ClusterSettings, ExternalEtcd
from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.engine.embedded.engine import EmbeddedEngine
from pyconsul.agent.state.schemas import ALL

BOOTSTRAPPED, WAITING = ClusterSettings(is_bootstrapped=True), ClusterSettings(expect=3)


class Folder:
    """A data folder."""

    def __init__(self, path: Path) -> None:
        self.single = EmbeddedEngine(path / "state.db", ALL)
        self.path = path / "cluster"
        self.file = RecordFile(self.path)

    async def with_state(self) -> Folder:
        await self.single.load()
        return self

    def is_alone(self, settings: ClusterSettings) -> bool:
        return begins_alone(self.single, self.file, self.path, settings)


def test_an_empty_folder_begins_as_the_settings_say(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    assert folder.is_alone(BOOTSTRAPPED)
    assert not folder.is_alone(WAITING)
    assert not folder.is_alone(ClusterSettings(is_bootstrapped=True, is_replica=True))


async def test_a_state_on_the_disk_beats_the_settings(tmp_path: Path) -> None:
    folder = await Folder(tmp_path).with_state()
    assert folder.is_alone(WAITING)
    await folder.single.close()


async def test_a_move_that_was_interrupted_is_forgotten(tmp_path: Path) -> None:
    folder = await Folder(tmp_path).with_state()
    folder.file.change(cluster_id="c1", is_founder=True, members=("a",))
    assert folder.is_alone(BOOTSTRAPPED)
    assert not RecordFile(folder.path).record.cluster_id
    await folder.single.close()


async def test_a_state_that_has_moved_is_that_of_the_cluster(tmp_path: Path) -> None:
    folder = await Folder(tmp_path).with_state()
    folder.file.change(cluster_id="c1", is_founder=True, members=("a",))
    await folder.single.mark_moved("c1")
    await folder.single.close()
    assert not folder.is_alone(BOOTSTRAPPED)
    folder.file.change(cluster_id="")
    with pytest.raises(EngineError, match=r"has moved to cluster c1, whose data are missing from .*/cluster: restore"):
        folder.is_alone(BOOTSTRAPPED)


async def test_an_external_etcd_does_not_hide_a_state(tmp_path: Path) -> None:
    folder = await Folder(tmp_path).with_state()
    with pytest.raises(EngineError, match="run pyconsul snapshot save"):
        folder.is_alone(ClusterSettings(external=ExternalEtcd(("e1:2379",))))
    await folder.single.close()
    assert not Folder(tmp_path / "other").is_alone(ClusterSettings(external=ExternalEtcd(("e1:2379",))))
