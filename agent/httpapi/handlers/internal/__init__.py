"""Routes for other agents of the datacenter, authorized by the caller's token as public routes are."""
