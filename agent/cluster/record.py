"""The record of a server's cluster on disk: its vote, the cluster that it belongs to, and the members that it last knew."""

from __future__ import annotations

from pathlib import Path

import msgspec

from pyconsul.agent.cluster.etcd.member import MemberSettings
from pyconsul.agent.cluster.founding.ballot import Ballot
from pyconsul.agent.common.files.atomic_file import write_file
from pyconsul.agent.engine.contract import EngineError

FILE = "cluster.json"


class Record(msgspec.Struct, frozen=True):
    """The record.

    cluster_id: of the cluster that this server belongs to, or belonged to; "" for none.
    number: etcd's number of its member; 0 until that is known.
    is_member: its etcd member has answered once, so an etcd without data has lost it.
    is_founder: the etcd member begins alone, with an empty state.
    settings: of the etcd member, those of the leader that has added it; None: the own ones.
    members: node IDs that the etcd member begins with; later, those that were last known.
    replaced: IDs of the clusters that this one was recovered from.
    """

    cluster_id: str = ""
    number: int = 0
    is_member: bool = False
    is_founder: bool = False
    members: tuple[str, ...] = ()
    settings: MemberSettings | None = None
    ballot: Ballot = Ballot()
    replaced: tuple[str, ...] = ()


class RecordFile:
    """The record, and its file in the cluster's folder."""

    def __init__(self, folder: Path) -> None:
        """Read the file, if there is one.  Raises EngineError."""
        self._path = folder / FILE
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.record = msgspec.json.decode(self._path.read_bytes(), type=Record)
        except FileNotFoundError:
            self.record = Record()
        except (OSError, msgspec.MsgspecError) as error:
            raise EngineError(
                f"cannot read {self._path}, which says to which cluster this server belongs: {error}; restore it from a"
                f" backup, or move the folder {folder} away to join a cluster as a new server"
            ) from error

    def store(self, record: Record) -> None:
        """Replace the record, on disk first.  Raises EngineError."""
        if record == self.record:
            return
        try:
            write_file(self._path, msgspec.json.format(msgspec.json.encode(record)))
        except OSError as error:
            raise EngineError(f"cannot write {self._path}: {error}") from error
        self.record = record

    def change(self, **fields: object) -> None:
        """Replace some fields of the record.  Raises EngineError."""
        self.store(msgspec.structs.replace(self.record, **fields))
