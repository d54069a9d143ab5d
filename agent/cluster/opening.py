"""Decides at the start of a server whether it has its state for itself, or from a cluster.

| data folder | settings | state |
| --- | --- | --- |
| `state.db` is marked as moved | any | of the cluster that it moved to |
| a member of a cluster | any | of that cluster |
| `state.db` | any but a replica | alone; a move that was interrupted is forgotten |
| nothing | bootstrap | alone |
| nothing | any others | none: waits for a cluster |
| anything | `etcd { endpoints }` | refused |
"""

from __future__ import annotations

import logging
from pathlib import Path

from pyconsul.agent.cluster.record import RecordFile
from pyconsul.agent.cluster.settings import ClusterSettings
from pyconsul.agent.engine.contract import EngineError, MovableEngine

log = logging.getLogger("agent.cluster")


def begins_alone(single: MovableEngine, file: RecordFile, folder: Path, settings: ClusterSettings) -> bool:
    """Return whether a server has its state for itself.  Raises EngineError."""
    moved_to, has_state, cluster_id = single.moved_to, single.path.exists(), file.record.cluster_id
    if settings.external is not None:
        if has_state or cluster_id:
            raise EngineError(
                f"this server has a state in {folder.parent}, which is not used with etcd {{ endpoints }}: start without that"
                " setting, run pyconsul snapshot save, move the folder away, start with it, and restore the snapshot"
            )
        return False
    if moved_to and not cluster_id:  # another ID is that of the recovered cluster
        raise EngineError(
            f"the state in {single.path} has moved to cluster {moved_to}, whose data are missing from {folder}: restore that"
            f" folder from a backup, or move {single.path.name} away to join the cluster as a new server"
        )
    if moved_to or file.record.is_member or settings.is_replica:
        return False
    if not settings.is_bootstrapped and not has_state:
        return False
    if cluster_id:
        log.info("the move of the state into etcd was interrupted: going on with %s", single.path)
        file.change(cluster_id="", number=0, is_member=False, is_founder=False, members=())
    return True
