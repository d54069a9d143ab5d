"""The commands below `acl`, and `login` and `logout`."""
