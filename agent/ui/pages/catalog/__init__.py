"""Pages of the catalog: services, instances, nodes."""
