"""Request bodies and JSON as Go reads them."""
