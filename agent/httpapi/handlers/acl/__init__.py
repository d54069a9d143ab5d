"""The handlers of /v1/acl."""
