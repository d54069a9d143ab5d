"""The frames of a pool's packets and streams, which change with its keys."""

from __future__ import annotations

import os
from collections.abc import Sequence

from msgspec.structs import replace

from pyconsul.agent.gossip.wire.encryption import Keyring
from pyconsul.agent.gossip.wire.packet import Framing


class Frames:
    """The framing of streams, and one without compression, for packets and large streams.

    A packet fits into one frame of the network anyway, and to compress it in Python costs more time than all the rest.
    """

    def __init__(self, keys: Sequence[bytes], *, verify_incoming: bool, verify_outgoing: bool) -> None:
        """Raises ValueError for a key of a wrong length."""
        self.streams = Framing(
            random_bytes=os.urandom,
            keyring=Keyring(keys) if keys else None,
            verify_incoming=verify_incoming,
            verify_outgoing=verify_outgoing,
        )
        self.uncompressed = replace(self.streams, compression=False)

    @property
    def is_encrypted(self) -> bool:
        """True if there are keys."""
        return self.streams.keyring is not None

    def set_keys(self, keys: Sequence[bytes]) -> None:
        """Use these keys from now on, the primary one first."""
        self.streams = replace(self.streams, keyring=Keyring(keys))
        self.uncompressed = replace(self.uncompressed, keyring=self.streams.keyring)
