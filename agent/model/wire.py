"""Names on the wire: how a field's Python name becomes Consul's JSON key (`node_id` -> `NodeID`)."""

from __future__ import annotations

ACRONYMS = {
    "acl": "ACL", "ae": "AE", "acls": "ACLs", "dc": "DC", "dns": "DNS", "grpc": "GRPC", "h2ping": "H2PING", "http": "HTTP",
    "https": "HTTPS", "id": "ID", "ids": "IDs", "ip": "IP", "jwt": "JWT", "lan": "LAN", "ltime": "LTime", "os": "OS", "rpc": "RPC",
    "tcp": "TCP", "tls": "TLS", "ttl": "TTL", "udp": "UDP", "url": "URL", "wan": "WAN",
}  # fmt: skip


def camel(name: str) -> str:
    """Return the CamelCase key of a snake_case field, with Consul's capitalised acronyms."""
    return "".join(ACRONYMS.get(part) or part.capitalize() for part in name.split("_"))
