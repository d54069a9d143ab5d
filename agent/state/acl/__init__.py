"""Tables of access control: tokens, policies, roles, auth methods."""
