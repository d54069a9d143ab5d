"""Pages of services and their instances, and what these pages share."""
