"""The frames of a pool's packets and streams, which change with its keys."""

from __future__ import annotations

import os
from collections.abc import Sequence

from msgspec.structs import replace

from pyconsul.agent.gossip.wire.encryption import Keyring
from pyconsul.agent.gossip.wire.packet import Framing


class Frames:
    """The framing of what is sent and received.

    Nothing is compressed, though everything compressed is read: packets fit into one frame of the network anyway, and to compress
    the state of 50 members in Python (15 ms) would cost an idle agent more time than all the rest, to save some kilobytes a minute.
    """

    def __init__(self, keys: Sequence[bytes], *, verify_incoming: bool, verify_outgoing: bool) -> None:
        """Raises ValueError for a key of a wrong length."""
        self.present = Framing(
            random_bytes=os.urandom,
            keyring=Keyring(keys) if keys else None,
            compression=False,
            verify_incoming=verify_incoming,
            verify_outgoing=verify_outgoing,
        )

    @property
    def is_encrypted(self) -> bool:
        """True if there are keys."""
        return self.present.keyring is not None

    @property
    def keys(self) -> tuple[bytes, ...]:
        """Return the keys, the primary one first."""
        return () if self.present.keyring is None else self.present.keyring.keys

    def set_keys(self, keys: Sequence[bytes]) -> None:
        """Use these keys from now on, the primary one first."""
        self.present = replace(self.present, keyring=Keyring(keys))
