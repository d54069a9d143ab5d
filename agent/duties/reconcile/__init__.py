"""Brings the nodes of the catalog into line with the members of the LAN pool."""
