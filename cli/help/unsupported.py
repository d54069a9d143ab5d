"""Commands of Consul that pyconsul does not have, and what to use instead."""

from __future__ import annotations

_MESH = (
    "There is no service mesh: let services talk TLS themselves, or put HAProxy with pyconsul-template between them."
)
_ENTERPRISE = "It belongs to Consul Enterprise."

#: By name; the longest name that the words begin with counts.
UNSUPPORTED: dict[str, str] = {
    "audit": _ENTERPRISE,
    "config": "Config entries configure the service mesh, which pyconsul does not have. Prepared queries (/v1/query) "
    "choose between instances and datacenters.",
    "connect": _MESH,
    "hcp": "HCP Consul is a service of HashiCorp.",
    "intention": f"Intentions guard the service mesh. {_MESH}",
    "license": _ENTERPRISE,
    "namespace": _ENTERPRISE,
    "operator area": _ENTERPRISE,
    "operator utilization": f"{_ENTERPRISE} `pyconsul operator usage instances` counts services and instances.",
    "partition": _ENTERPRISE,
    "peering": "Cluster peering belongs to the service mesh.",
    "resource": "The resource API belongs to the service mesh.",
    "services export": "Exported services belong to cluster peering.",
    "services exported-services": "Exported services belong to cluster peering.",
    "services imported-services": "Imported services belong to cluster peering.",
    "snapshot agent": f"{_ENTERPRISE} Let cron or a systemd timer run `pyconsul snapshot save`.",
    "tls": "Create certificates with a certificate authority of your own: openssl, step-ca, or Vault's pki.",
    "troubleshoot": "It examines the service mesh. `pyconsul doctor` examines the agent.",
}


def explanation(words: str) -> str:
    """Return why a command is missing, and what to use; empty when Consul does not have it either."""
    while words:
        if words in UNSUPPORTED:
            return f"pyconsul {words} is not in pyconsul. {UNSUPPORTED[words]}"
        words = words.rpartition(" ")[0]
    return ""
