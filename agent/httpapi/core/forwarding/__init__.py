"""Requests that another agent answers: the contracts, and the forwarder of an agent without others."""
