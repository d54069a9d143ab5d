"""De-duplication: one elected instance queries Consul and shares the answers with instances of the same template."""
