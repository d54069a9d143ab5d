"""The flags that say where the agent is and who asks; every command that talks to an agent has them.

They and the environment variables beside them are Consul's: https://developer.hashicorp.com/consul/commands
"""

from __future__ import annotations

from pyconsul.cli.flags.flag import Flag, switch, text

HTTP_FLAGS: tuple[Flag, ...] = (
    text(
        "http-addr",
        "Address of the agent: host:port, http://…, https://… or unix:///path. Also CONSUL_HTTP_ADDR; "
        "default 127.0.0.1:8500. CONSUL_HTTP_SSL=true makes it HTTPS.",
        metavar="address",
    ),
    text("token", "ACL token to ask with. Also CONSUL_HTTP_TOKEN. Without one the agent's default token is used."),
    text("token-file", "File that holds the ACL token. Also CONSUL_HTTP_TOKEN_FILE.", metavar="path"),
    text(
        "ca-file", "CA certificate the agent's HTTPS certificate is checked with. Also CONSUL_CACERT.", metavar="path"
    ),
    text("ca-path", "Folder of such CA certificates. Also CONSUL_CAPATH.", metavar="path"),
    text("client-cert", "Client certificate for HTTPS. Also CONSUL_CLIENT_CERT.", metavar="path"),
    text("client-key", "Key of the client certificate. Also CONSUL_CLIENT_KEY.", metavar="path"),
    text("tls-server-name", "Name the agent's certificate must have. Also CONSUL_TLS_SERVER_NAME.", metavar="name"),
    Flag("text", "namespace", "Accepted for Consul Enterprise's sake; only the namespace default exists.", hidden=True),
    Flag("text", "partition", "Accepted for Consul Enterprise's sake; only the partition default exists.", hidden=True),
    Flag("text", "ns", "The same as -namespace.", hidden=True),
    text("datacenter", "Datacenter to ask; by default the agent's own.", metavar="name"),
    switch("stale", "Let any server answer, not only the leader: the answer may be a little old."),
)
