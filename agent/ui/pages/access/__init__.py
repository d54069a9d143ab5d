"""Pages of access control: tokens, policies, roles, auth methods with their binding rules, and explanations."""
