"""Background jobs of the leader, and the contract that starts and stops them."""
