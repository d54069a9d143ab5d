"""The catalog's nodes, services and health, and the local agent's services."""
