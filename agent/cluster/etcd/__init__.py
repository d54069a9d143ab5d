"""The etcd of a server: its member and the others, clients, or an etcd that others run."""
