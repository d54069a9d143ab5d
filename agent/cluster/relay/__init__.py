"""Carries bytes between the etcd members of a cluster, over the RPC port of each server."""
