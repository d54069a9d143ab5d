"""Endpoints of the service mesh, which pyconsul does not have."""
