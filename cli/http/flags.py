"""The flags for the agent's address, token and TLS; all commands that send requests have them.

They and the environment variables beside them are Consul's: https://developer.hashicorp.com/consul/commands
"""

from __future__ import annotations

from typing import Any

from pyconsul.agent.common.options import Option, switch, text

HTTP_ADDR = text(
    "http-addr",
    "Address of the agent: host:port, http://…, https://… or unix:///path. Also CONSUL_HTTP_ADDR; "
    "default 127.0.0.1:8500. CONSUL_HTTP_SSL=true makes it HTTPS.",
    metavar="address",
)
TOKEN = text("token", "ACL token. Also CONSUL_HTTP_TOKEN. Without one, the default token of the agent applies.")
TOKEN_FILE = text("token-file", "File that holds the ACL token. Also CONSUL_HTTP_TOKEN_FILE.", metavar="path")
CA_FILE = text("ca-file", "CA certificate to verify the agent's HTTPS certificate. Also CONSUL_CACERT.", metavar="path")
CA_PATH = text("ca-path", "Folder of such CA certificates. Also CONSUL_CAPATH.", metavar="path")
CLIENT_CERT = text("client-cert", "Client certificate for HTTPS. Also CONSUL_CLIENT_CERT.", metavar="path")
CLIENT_KEY = text("client-key", "Key of the client certificate. Also CONSUL_CLIENT_KEY.", metavar="path")
TLS_SERVER_NAME = text(
    "tls-server-name", "Expected name in the agent's certificate. Also CONSUL_TLS_SERVER_NAME.", metavar="name"
)
DATACENTER = text("datacenter", "Datacenter to query; the default is the agent's own.", metavar="name")
STALE = switch("stale", "Allow any server to respond, not only the leader; the response may be slightly out of date.")
NAMESPACE = text(
    "namespace", "Accepted for compatibility with Consul Enterprise; only the namespace default exists.", hidden=True
)
PARTITION = text(
    "partition", "Accepted for compatibility with Consul Enterprise; only the partition default exists.", hidden=True
)
NS = text("ns", "The same as -namespace.", hidden=True)
HTTP_FLAGS: tuple[Option[Any], ...] = (
    HTTP_ADDR,
    TOKEN,
    TOKEN_FILE,
    CA_FILE,
    CA_PATH,
    CLIENT_CERT,
    CLIENT_KEY,
    TLS_SERVER_NAME,
    NAMESPACE,
    PARTITION,
    NS,
    DATACENTER,
    STALE,
)
