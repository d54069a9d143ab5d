"""Autopilot: watches the health of the servers and removes those that are gone."""
