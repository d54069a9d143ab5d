"""The catalog: nodes, services and their registration."""
