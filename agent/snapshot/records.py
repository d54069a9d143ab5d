"""`state.bin` of a Consul snapshot: a header `{"LastIndex": N}`, then records of one type byte and one MessagePack value.

The numbers are Consul's `structs.MessageType`; only those of rows of the state can occur.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import msgpack

from pyconsul.agent.snapshot.errors import SnapshotError
from pyconsul.agent.snapshot.gomsgpack import UNPACK_ERRORS, packer, unpacker

REGISTER, KVS, SESSION, TOMBSTONE, COORDINATES, QUERY, AUTOPILOT = 0, 2, 3, 5, 6, 7, 9
INDEX, TOKEN, POLICY, CONFIG_ENTRY, ROLE, BINDING_RULE, AUTH_METHOD = 16, 17, 19, 22, 23, 25, 27
CHUNKING = 29

_NAMES = {
    0: "Register", 1: "Deregister", 2: "KVS", 3: "Session", 4: "ACL", 5: "Tombstone", 6: "CoordinateBatchUpdate",
    7: "PreparedQuery", 8: "Txn", 9: "Autopilot", 10: "Area", 11: "ACLBootstrap", 12: "Intention", 13: "ConnectCA",
    14: "ConnectCAProviderState", 15: "ConnectCAConfig", 16: "Index", 17: "ACLToken", 18: "ACLTokenDelete", 19: "ACLPolicy",
    20: "ACLPolicyDelete", 21: "ConnectCALeaf", 22: "ConfigEntry", 23: "ACLRole", 24: "ACLRoleDelete", 25: "ACLBindingRule",
    26: "ACLBindingRuleDelete", 27: "ACLAuthMethod", 28: "ACLAuthMethodDelete", 29: "ChunkingState", 30: "FederationState",
    31: "SystemMetadata", 32: "ServiceVirtualIP", 33: "FreeVirtualIP", 34: "KindServiceNames", 35: "PeeringWrite",
    36: "PeeringDelete", 37: "PeeringTerminateByID", 38: "PeeringTrustBundleWrite", 39: "PeeringTrustBundleDelete",
    40: "PeeringSecretsWrite", 41: "RaftLogVerifierCheckpoint", 42: "ResourceOperation", 43: "UpdateVirtualIPRequestType",
}  # fmt: skip


def name_of(kind: int) -> str:
    """Consul's name of a record type."""
    return _NAMES.get(kind) or f"Unknown({kind})"


class Record(NamedTuple):
    """One record: its type, its value, and its size in bytes, type included."""

    kind: int
    value: Any
    size: int


class RecordReader:
    """Reads a header and the records after it.  `header_size` is in bytes.  Raises SnapshotError."""

    def __init__(self, file: BinaryIO) -> None:
        self._unpacker = unpacker(file)
        header = self._next("the header")
        index = header.get("LastIndex") if isinstance(header, dict) else None
        if not isinstance(index, int) or isinstance(index, bool):
            raise SnapshotError("the header lacks LastIndex; was the snapshot written by Consul or pyconsul?")
        self.last_index = index
        self.header_size: int = self._unpacker.tell()

    def __iter__(self) -> Iterator[Record]:
        start, number = self.header_size, 0
        while kind := self._unpacker.read_bytes(1):
            number += 1
            value = self._next(f"record {number} ({name_of(kind[0])})")
            end = self._unpacker.tell()
            yield Record(kind[0], value, end - start)
            start = end

    def _next(self, what: str) -> Any:
        try:
            return self._unpacker.unpack()
        except msgpack.OutOfData:
            raise SnapshotError(f"it ends in the middle of {what}") from None
        except UNPACK_ERRORS as error:
            raise SnapshotError(f"{what} cannot be read: {_reason(error)}") from None


def _reason(error: BaseException) -> str:
    """Return the reason without any of the bytes, which may be a secret."""
    if isinstance(error, msgpack.StackError):
        return "values are nested too deeply"
    if "exceeds max_" in str(error) or isinstance(error, msgpack.BufferFull | MemoryError):
        return "a value is too large"
    return "this is not MessagePack"


class RecordWriter:
    """Writes a header and records."""

    def __init__(self, file: BinaryIO, last_index: int) -> None:
        self._write, self._pack = file.write, packer().pack
        self._write(self._pack({"LastIndex": last_index}))

    def put(self, kind: int, value: Any) -> None:
        self._write(bytes((kind,)) + self._pack(value))
