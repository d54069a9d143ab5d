"""The history of keys in etcd."""
