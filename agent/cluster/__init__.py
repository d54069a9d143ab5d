"""The servers of a cluster: etcd members, the relays between them, leadership."""
