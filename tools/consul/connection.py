"""Where Consul is and how it is reached: addresses, tokens and TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyconsul.agent.common.consul_environment import (
    DEFAULT_ADDRESS,
    AgentAddress,
    InvalidSetting,
    Tls,
    UnreadableFile,
    parse_address,
    read_token,
)
from pyconsul.agent.common.structs import field, struct

if TYPE_CHECKING:
    import ssl

__all__ = ["Connection", "ConsulError", "Tls"]


class ConsulError(Exception):
    """Consul did not answer, or answered with an error. `status` is the HTTP status, 0 without an answer; then
    nothing had been heard for `silent` seconds."""

    def __init__(self, text: str, status: int = 0, silent: float = 0.0) -> None:
        super().__init__(text)
        self.status = status
        self.silent = silent


@struct(frozen=True)
class Connection:
    """The settings of a connection to Consul.

    `address`: "host:port", "http://…", "https://…" or "unix:///path". `token_file` wins over `token`, and is read again
    for each query, so that a token can be exchanged. `auth`: "user:password".
    Durations are seconds.
    """

    address: str = DEFAULT_ADDRESS
    token: str = ""
    token_file: str = ""
    auth: str = ""
    tls: Tls = field(default_factory=Tls)
    dial_timeout: float = 30.0
    max_idle_connections: int | None = None
    keep_alives: bool = True

    def __repr__(self) -> str:
        return f"Connection({self.address!r})"  # without its secrets

    def agent_address(self) -> AgentAddress:
        """Return the parsed address. Raises ConsulError."""
        try:
            return parse_address(self.address, "from the settings of Consul", secure=self.tls.enabled)
        except InvalidSetting as error:
            raise ConsulError(str(error)) from None

    def tls_context(self) -> ssl.SSLContext | None:
        """Return the TLS context; None for an address without TLS. Raises ConsulError."""
        if not self.agent_address().secure:
            return None
        try:
            return self.tls.context()
        except (InvalidSetting, UnreadableFile) as error:
            raise ConsulError(str(error)) from error

    def read_token(self) -> str:
        """Return the ACL token; empty without one. Raises ConsulError when the token file cannot be read."""
        try:
            return read_token(self.token, self.token_file)
        except UnreadableFile as error:
            raise ConsulError(str(error)) from error
