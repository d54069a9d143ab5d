"""Checks over HTTP/2: gRPC and h2ping."""
