"""The servers of a cluster: etcd members, the relays between them, leadership."""

import os

# Read by gRPC when it is imported: its fork handlers would abort child processes before they run their program.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
