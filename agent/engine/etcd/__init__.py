"""The engine of a cluster: rows in etcd."""
