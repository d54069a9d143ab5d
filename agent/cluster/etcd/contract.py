"""Members of the etcd cluster as data, and the folder of the own one; without gRPC, which is only loaded where etcd is."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import msgspec

from pyconsul.agent.common.files.atomic_file import sync_folder

FOLDER = "etcd"  # in the folder of the cluster
DATA = "data"  # in the folder of the member: what etcd writes


class ClusterMember(msgspec.Struct, frozen=True):
    """One member.  id: etcd's number.  is_learner: it receives everything, but has no vote yet."""

    id: int
    node_id: str
    is_learner: bool


class Status(msgspec.Struct, frozen=True):
    """The state of the member of this server.  number, leader: etcd's numbers of members, 0 for none.  Sizes in bytes."""

    number: int
    leader: int
    term: int
    size_bytes: int
    used_bytes: int
    errors: tuple[str, ...]


def set_aside(folder: Path, reason: str) -> Path | None:
    """Rename the folder of an etcd member that is not used any more; returns its new path.  Raises OSError.

    A folder without data, of a member that was never started, is removed.
    """
    present = folder / FOLDER
    if not present.exists():
        return None
    if not (present / DATA).exists():
        shutil.rmtree(present)
        return None
    kept = folder / f"{FOLDER}.{reason}-{time.strftime('%Y%m%d-%H%M%S')}"
    number = 1
    while kept.exists():
        number += 1
        kept = kept.with_name(f"{kept.name.partition('_')[0]}_{number}")
    os.rename(present, kept)
    sync_folder(folder)
    return kept
