"""De-duplication: instances that render the same template ask Consul once between them."""
