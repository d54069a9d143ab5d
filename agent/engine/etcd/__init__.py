"""The engine of a cluster: rows in etcd."""

import os

# Read by gRPC when it is imported: its fork handlers would abort child processes before they run their program.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
