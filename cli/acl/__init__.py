"""Access control objects: arguments to requests, and responses to text."""
