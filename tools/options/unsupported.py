"""Settings of Vault and Nomad, which the originals read: accepted, so that their files and scripts work, with a warning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyconsul.agent.common.options import Kind, Option
from pyconsul.tools.options.settings import BOOL, Settings, Tree

_TEXT = "Accepted without effect: secrets of {} are not supported"
_ANY = Kind("any", lambda value: value)
_SWITCHES = ("retry", "ssl", "ssl-verify", "transport-disable-keep-alives")
_TEXTS = (
    *("addr", "namespace", "token", "retry-attempts", "retry-backoff", "retry-max-backoff"),
    *("ssl-ca-cert", "ssl-ca-path", "ssl-cert", "ssl-key", "ssl-server-name"),
    *("transport-dial-keep-alive", "transport-dial-timeout", "transport-max-idle-conns-per-host"),
    "transport-tls-handshake-timeout",
)
_VAULT_SWITCHES = ("renew-token", "unwrap-token", "retry-enabled", "ssl-enabled")
_VAULT_TEXTS = (
    *("address", "grace", "agent-token-file", "vault-agent-token-file", "default-lease-duration"),
    *("lease-renewal-threshold", "k8s-auth-role-name", "k8s-service-account-token"),
    *("k8s-service-account-token-path", "k8s-service-mount-path"),
)
#: The blocks of configuration files.
_BLOCKS = ("vault", "nomad")


def _noted(block: str) -> Callable[[Tree, Any], None]:
    def apply(tree: Tree, value: Any) -> None:
        tree.setdefault(block, {})

    return apply


def _flags(block: str, names: tuple[str, ...], kind: Kind[Any]) -> tuple[Option[Any], ...]:
    text = _TEXT.format(block.title())
    return tuple(
        Option(f"{block}-{name}", kind, text, None, flags=(f"{block}-{name}",), flag_only=True, apply=_noted(block))
        for name in names
    )


UNSUPPORTED: tuple[Option[Any], ...] = (
    *(Option(block, _ANY, _TEXT.format(block.title()), None) for block in _BLOCKS),
    *_flags("vault", (*_SWITCHES, *_VAULT_SWITCHES), BOOL),
    *_flags("vault", (*_TEXTS, *_VAULT_TEXTS), _ANY),
    *_flags("nomad", _SWITCHES, BOOL),
    *_flags("nomad", _TEXTS, _ANY),
)


def warn_of_unsupported(settings: Settings, warn: Callable[[str], None]) -> None:
    """Call `warn` for each given block, of a file or of a flag."""
    for block in _BLOCKS:
        if block in settings.tree:
            warn(f"the settings of {block} have no effect: keep secrets in Consul's KV store")
