"""Live views of services and their health."""
