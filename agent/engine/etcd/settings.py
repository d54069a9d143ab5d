"""Settings of etcd; without gRPC, which is loaded only together with etcd."""

from __future__ import annotations

import msgspec

from pyconsul.agent.engine.contract import Limits

#: What etcd accepts with its default settings (128 operations, 1.5 MiB), less what every commit writes beside its rows.
DEFAULT_LIMITS = Limits(rows=110, size_bytes=1_400_000, takes_larger=True)


class Credentials(msgspec.Struct, frozen=True):
    """Credentials for etcd: TLS files, user name and password; "" = none."""

    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    username: str = ""
    password: str = ""

    @property
    def uses_tls(self) -> bool:
        """Return whether connections are encrypted."""
        return bool(self.ca_file or self.cert_file)


NO_CREDENTIALS = Credentials()
