"""Consul's HTTP API as the tools use it: connections, blocking queries, one-shot requests, sessions, semaphores."""
